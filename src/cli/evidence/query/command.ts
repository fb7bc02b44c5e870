/** The command `evidence query`. */
import type { Command } from 'commander'
import { actionOf } from '#cli/commandGroup.ts'
import type { QueryOptions } from './filter.ts'

type QueryArguments = QueryOptions & {
  readonly trust?: string
  readonly simulation: boolean
  readonly json?: boolean
  readonly fhir?: boolean
}
export type QueryActions = {
  readonly query: (dir: string, options: QueryArguments) => Promise<void>
}

export function addQueryCommand(evidence: Command, load: () => Promise<QueryActions>): void {
  evidence
    .command('query')
    .summary('list the entries of a folder that match')
    .description(
      'Audits a folder as `evidence verify` does, and prints the entries of registered logs that match every condition, in the order of their time. An entry matches by its own fields and by those of the decision, job or request that it belongs to.',
    )
    .argument('<dir>', 'a folder that `evidence export` wrote')
    .option('--from <time>', 'not before this time, such as 2026-01-31T12:00:00Z')
    .option('--to <time>', 'before this time')
    .option('--client <name>', 'about this client')
    .option('--purpose <code>', 'for this purpose')
    .option('--dataset <id>', 'about this dataset')
    .option('--permission <id>', 'under this permission')
    .option('--code <code>', 'with this reason, such as measurement.unknown')
    .option('--trace <id>', 'of the job with this trace')
    .option('--boot <boot>', 'by this boot, or about it')
    .option('--id <id>', 'with this release, job, denial or result')
    .option('--event <event>', 'this event only, such as release.decided')
    .option(
      '--trust <file>',
      'the root of the provider, from a source other than DIR (default: DIR/trust.json)',
    )
    .option('--simulation', 'accept evidence of simulated machines', false)
    .option('--json', 'print each entry as one line of JSON, with its place')
    .option('--fhir', 'print each entry as a FHIR R4 AuditEvent, one line each')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker evidence query ./evidence --trust root.json --client research --code measurement.unknown
  confidential-worker evidence query ./evidence --trust root.json --trace 5bc723dc2166bb3a3f955eabce8ec49e
  confidential-worker evidence query ./evidence --trust root.json --from 2026-01-01T00:00:00Z --fhir > events.ndjson

Exit codes
  0   printed, perhaps nothing, and the evidence is intact
  1   printed, and the evidence is not intact: what is printed proves nothing before that is explained
  2   nothing to audit, no root, or a wrong condition`,
    )
    .action(actionOf(load)(({ query }) => query))
}
