/** The commands `policy verifier-keys`, `key`, `sign` and `publish`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { GOVERN_CONFIGURATION } from './help.ts'

const EXITS = `
  2   malformed input, a wrong command line, or the file exists already
  75  the storage or the Vault does not answer: try again
  78  the configuration must be changed first`

export function addSigningCommands(group: Command, context: CommandContext): void {
  const run = actionOf(async () => (await import('./signingActions.ts')).createSigningActions(context))
  const command = commandsOf(group)

  command(
    'verifier-keys',
    'write verifier keys: which Vault key certifies grants, and which key states freshness',
    "Writes a draft of verifier keys with the next number to a new file. Two persons sign it with policy sign, and policy publish puts it in force. The same command rotates either key: the Vault's current version of the grant CA is taken.",
    `
Example
  confidential-worker policy verifier-keys --config govern.json --grant-ca ocid1.key.oc1… \\
    --freshness-key freshness.pub --out keys-1.json
${GOVERN_CONFIGURATION}

Exit codes
  0   written${EXITS}`,
  )
    .requiredOption('--config <file>', 'the pin, the Vault and the bucket (below)')
    .requiredOption('--grant-ca <ocid>', "the P-384 Vault key of the Verifiers' configuration")
    .requiredOption('--freshness-key <file>', 'the public key of the freshness statements, in PEM or JSON')
    .requiredOption('--out <file>', 'the draft, a new file')
    .option('--days <n>', 'how long they are in force, 1 to 90 (default: 90)', '90')
    .action(run(({ verifierKeys }) => verifierKeys))

  command(
    'key',
    'print the public half of a Vault key as JSON, for a policy',
    'Prints {"jwk", "keyId", "keyVersionId"} of the current version of a Vault key: for the recipient and the client of a policy, or for the provider root. The configuration is any of this command line that has "oci".',
    `
Example
  confidential-worker policy key ocid1.key.oc1… --config open.json > recipient.json

Exit codes
  0   printed
  1   there is no such key, or it may not be seen${EXITS}`,
  )
    .argument('<ocid>', 'a key in the Vault')
    .requiredOption('--config <file>', 'a configuration with "oci"')
    .action(run(({ key }) => key))

  command(
    'sign',
    'add your signature to a policy, to verifier keys or to a revocation list',
    'Shows what the document says and how it differs from what is in force, asks, and signs. The first signer turns a draft into FILE.signed.json; the next adds a signature to that file. Both see the same name, which has the digest of what is signed. Whatever could not come into force is refused before anyone signs it.',
    `
Examples
  confidential-worker policy sign policy-2.json --config govern.json --key ada.pem
  confidential-worker policy sign policy-2.signed.json --config govern.json --key ~/.ssh/id_ed25519
  confidential-worker policy sign policy-2.signed.json --config govern.json --key ocid1.key.oc1…

The key is a file (Ed25519 or P-384 in PEM, or an unencrypted ed25519 key of ssh) or the OCID of a P-384 key in
the Vault. Its public half is in trust.providerRoot; keys in an ssh agent or on a card are not supported.
${GOVERN_CONFIGURATION}

Exit codes
  0   signed
  1   refused: it breaks a rule, its number is not higher, the key is no signer's, or you did not agree${EXITS}`,
  )
    .argument('<file>', 'a draft, or a document that others have signed')
    .requiredOption('--config <file>', 'the pin and the bucket (below)')
    .requiredOption('--key <file or OCID>', 'your key')
    .option('--out <file>', 'the signed document (default: FILE.signed.json, or the file itself)')
    .option('--yes', 'do not ask')
    .action(run(({ sign }) => sign))

  command(
    'publish',
    'put a signed document in force',
    'Verifies signatures, quorum, rules and number as a Verifier does, creates the object under the name that its digest gives, and reads it back. If freshness statements are configured, it returns when one names the document. Nothing is overwritten, and a second call changes nothing.',
    `
Example
  confidential-worker policy publish policy-2.signed.json --config govern.json
${GOVERN_CONFIGURATION}

Exit codes
  0   in force
  1   refused: too few have signed, it breaks a rule, or its number is not higher${EXITS}`,
  )
    .argument('<file>', 'a signed document')
    .requiredOption('--config <file>', 'the pin and the bucket (below)')
    .option('--wait <seconds>', 'for a freshness statement that names it (default: 120)', '120')
    .action(run(({ publish }) => publish))
}
