/** The command `evidence blast-radius`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'

export type BlastActions = {
  readonly blastRadius: (
    dir: string,
    subject: string,
    options: { readonly trust?: string; readonly simulation: boolean; readonly json?: boolean },
  ) => Promise<void>
}

export function addBlastCommand(evidence: Command, load: () => Promise<BlastActions>): void {
  commandsOf(evidence)(
    'blast-radius',
    'say how far something bad reached',
    'Audits a folder as `evidence verify` does, and lists the releases that a machine, a client, a file or a key had a part in, with their objects and results, and what to do. A chip is found in the recorded requests, which have the attestation reports.',
    `
Subjects
  96 hex digits    a MEASUREMENT: an image that turned out to be bad
  128 hex digits   a CHIP_ID: a processor whose key got out
  26 characters    a boot: one start of a worker
  32 hex digits    a sealed file, by its sealId
  ocid1.key.…      a key of the Vault: of a dataset, of its pseudonyms, or of a recipient
  anything else    a client, by its name in the policy

Example
  confidential-worker evidence blast-radius ./evidence research --trust root.json

Exit codes
  0   listed, perhaps nothing, and the evidence is intact
  1   listed, and the evidence is not intact: something may be missing here
  2   nothing to audit, no root, or no such subject`,
  )
    .argument('<dir>', 'a folder that `evidence export` wrote')
    .argument('<subject>', 'what is bad (below)')
    .option(
      '--trust <file>',
      'the root of the provider, from a source other than DIR (default: DIR/trust.json)',
    )
    .option('--simulation', 'accept evidence of simulated machines', false)
    .action(actionOf(load)(({ blastRadius }) => blastRadius))
}
