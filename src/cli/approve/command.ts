/** The command `approve`. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import type { ApproveOptions } from './actions.ts'

export function addApproveCommand(program: Command, context: CommandContext): void {
  program
    .command('approve')
    .summary('turn the report of a measured machine into reference values of a policy')
    .description(
      "Verifies a worker's attestation report like report verify, and writes reference values for machines like it: what was launched, its processor with the built-in floors, and the worker's configuration. A report says what a machine launched, not that this is what you want to approve: compare --measurement with the output of measure for the image that you have read.",
    )
    .requiredOption('--report <file>', 'the report, 1184 bytes')
    .option('--cert <file>', 'the VCEK or VLEK in DER or PEM; a PEM file may contain ASK and ARK too')
    .option('--certs <dir>', 'a folder with such files')
    .option('--roots <dir>', "roots to trust instead of AMD's: <Product>/{ark,ask,asvk}.der")
    .option('--crl <file>', 'an AMD revocation list in DER or PEM; may be repeated', collect, [])
    .requiredOption('--id <name>', 'the name of the reference values in the policy')
    .requiredOption('--trust <digest>', 'as "worker --trust" prints it; may be repeated', many)
    .option('--measurement <hex>', 'refuse a report of any other launch')
    .option('--assurance <level>', 'measured (default) or platform', 'measured')
    .option('--days <n>', 'how long they are valid, 1 to 90 (default: 90)', '90')
    .option('--same-firmware', "demand at least this machine's committed firmware and TCB")
    .option('--same-chip', 'allow this chip alone')
    .option('--into <policy>', 'put them into this draft, in place of those with the same id')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker approve --report worker.bin --certs endorsements --crl crl.der --id worker-2 \\
    --trust tHj2… --measurement 5a3c… > worker-2.json
  confidential-worker approve --report worker.bin --certs endorsements --id worker-2 --trust tHj2… --into policy-2.json

Without --into it prints JSON to paste into "referenceValues", or for policy init --reference.

Exit codes
  0   approved
  1   refused: the report is not genuine, below the built-in floors, or of another launch
  2   malformed input or a wrong command line`,
    )
    .action(async (options: ApproveOptions) => {
      const { approve } = await import('./actions.ts')
      await approve(options, context)
    })
}

function many(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
