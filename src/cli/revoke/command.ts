/** The commands `revoke` and `restore`. */
import type { Command } from 'commander'
import { actionOf } from '#cli/commandGroup.ts'
import { GOVERN_CONFIGURATION } from '#cli/policy/help.ts'
import type { CommandContext } from '#cli/terminal.ts'

export function addRevokeCommands(program: Command, context: CommandContext): void {
  const run = actionOf(async () => (await import('./actions.ts')).createActions(context))
  ids(
    program
      .command('revoke')
      .summary('revoke a permission, machines, a worker or a file, at once')
      .description(
        "Signs and publishes a revocation list. One signer is enough: it counts as soon as a Verifier lists the bucket, a few seconds later. Only a quorum takes it back (restore). A permission or reference values that the policy in force does not have are refused, since a slip of the pen would revoke nothing. A signer's own key is excluded by the next policy (excludedSigners), a TLS certificate by enrol revoke.",
      )
      .requiredOption('--config <file>', 'the pin and the bucket (below)')
      .requiredOption('--key <file or OCID>', 'your key, as for policy sign'),
  )
    .option('--yes', 'do not ask')
    .option('--wait <seconds>', 'for a freshness statement that names it (default: 120)', '120')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker revoke --permission research-cohort --config govern.json --key ada.pem
  confidential-worker revoke --boot k3x7… --config govern.json --key ocid1.key.oc1…
${GOVERN_CONFIGURATION}

Exit codes
  0   revoked
  1   refused: there is no such permission, or the key is no signer's
  2   a wrong command line, or a key that cannot be read
  75  the storage or the Vault does not answer: try again
  78  the configuration must be changed first`,
    )
    .action(run(({ revoke }) => revoke))
  ids(
    program
      .command('restore')
      .summary('write the list by which a quorum takes a revocation back')
      .description(
        'Writes a revocation list that names the lists it replaces, by digest, and keeps all that they revoke but what is to be restored. It is a draft: the quorum signs it with policy sign and puts it in force with policy publish.',
      )
      .requiredOption('--config <file>', 'the pin and the bucket (below)')
      .requiredOption('--out <file>', 'the draft, a new file'),
  )
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker restore --permission research-cohort --config govern.json --out restore.json
${GOVERN_CONFIGURATION}

Exit codes
  0   written
  1   refused: it is not revoked
  2   a wrong command line, or the file exists already
  75  the storage does not answer: try again
  78  the configuration must be changed first`,
    )
    .action(run(({ restore }) => restore))
}

function ids(command: Command): Command {
  return command
    .option('--permission <id>', 'a permission of the policy; may be repeated', collect, [])
    .option('--reference <id>', 'reference values of the policy; may be repeated', collect, [])
    .option('--boot <id>', "a worker's boot, 26 characters; may be repeated", collect, [])
    .option('--seal-id <id>', 'a sealed file, 32 digits; may be repeated', collect, [])
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
