/** The commands `policy rotate` and `policy root`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { GOVERN_CONFIGURATION } from './help.ts'

export function addRotationCommands(group: Command, context: CommandContext): void {
  const run = actionOf(async () => (await import('./rotationActions.ts')).createRotationActions(context))
  const command = commandsOf(group)

  command(
    'rotate',
    'write the next policy with other keys',
    'Writes the policy in force anew, with the next number and other keys, and says what changes. A sealing key, a client key and a Vault key are added beside the old ones, so that nothing which exists is refused; --drop ends an old one, a policy later. Of identity key, recipient and audit key there is one, which is replaced. It warns of what ends together with an excluded signer.',
    `
Examples
  confidential-worker policy rotate --config govern.json --client-key client-2.json --out policy-4.json
  confidential-worker policy rotate --config govern.json --drop 4fNc… --exclude-signer ben --out policy-5.json

Keys are public: a PEM file, or a JSON file as "policy key" prints it, which --recipient needs.
${GOVERN_CONFIGURATION}

Exit codes
  0   written
  1   no policy is in force
  2   malformed input, a wrong command line, or the file exists already
  75  the storage or the Vault does not answer: try again
  78  the configuration must be changed first`,
  )
    .requiredOption('--config <file>', 'the pin, the Vault and the bucket (below)')
    .requiredOption('--out <file>', 'the policy, a new file')
    .option('--days <n>', 'how long it is in force, 1 to 90 (default: 30)', '30')
    .option('--dataset <name>', 'whose keys; may be left out if there is one')
    .option('--client <name>', 'whose keys; may be left out if there is one')
    .option('--sealing-key <file>', 'Ed25519 or P-384, added: signs the headers of sealed files')
    .option('--key-id <ocid>', 'a Vault key, added: wraps the data keys')
    .option('--identity-key <ocid>', 'the Vault key (AES-256) that wraps a new identity key')
    .option('--consent-key <file>', 'Ed25519 or P-384, added: may withdraw patients (consent withdraw)')
    .option(
      '--consent-vault-key <ocid>',
      'the Vault key (AES-256) under which later consent lists are sealed',
    )
    .option('--client-key <file>', 'P-384, added: signs the assertions of the client')
    .option('--recipient <file>', 'RSA: opens the results of every permission of the client')
    .option('--audit-key <file>', 'P-256: counts in evidence are sealed to it')
    .option('--drop <key>', 'thumbprint or OCID of a key that ends; may be repeated', collect, [])
    .option('--exclude-signer <person>', 'whose keys no longer count; may be repeated', collect, [])
    .action(run(({ rotate }) => rotate))

  command(
    'root',
    'write the provider root: who signs, and how many must',
    'Prints the provider root as JSON, or writes it into configurations in place of theirs. It begins with the root of --from, to which --signer adds. A key leaves the root only by hand, since what it has signed no longer counts then, revocations too: exclude it by a policy instead.',
    `
Examples
  confidential-worker policy root --signer ada=ada.pub --signer ben=ben.pub
  confidential-worker policy root --from govern.json --signer cai=cai.json --into govern.json verifier.json

Keys are public: a PEM file, or a JSON file as "policy key" prints it. A changed root changes the trust digest of
every worker: reference values must list the new one before the workers have it.

Exit codes
  0   printed or written
  2   malformed input or a wrong command line
  78  a configuration has no root`,
  )
    .option('--from <file>', 'a configuration with the root to begin with')
    .option('--signer <person=file>', 'a person and the public key; may be repeated', collect, [])
    .option('--threshold <n>', 'how many persons must sign (default: as in --from, or 2)')
    .option('--into <file...>', 'configurations that get the root')
    .action(run(({ root }) => root))
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
