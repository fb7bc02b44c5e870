/** The commands `dead-letters list`, `show` and `retry`. */
import type { Command } from 'commander'
import { DeadLettersConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import { findLetter, readLetters, standingOf } from './letters.ts'
import { type RetryServices, retryJob } from './retry.ts'
import { fieldsOf, renderLetter, renderLetters, renderRetried, type ShownLetter } from './text.ts'

type Arguments = { readonly config: string; readonly json?: boolean }
type ListArguments = Arguments & { readonly all?: boolean }

const CONFIGURATION = `
Configuration (JSON; it holds no secret)
  {
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "OPERATOR"},
            "endpoints": {"streaming": "https://…"}},
    "streams": {"jobs": "ocid1.stream.oc1…", "deadLetters": "ocid1.stream.oc1…"},
    "namespace": "research",
    "buckets": {"state": "worker-state", "results": "results"},
    "simulation": false
  }
`
const OPERATOR = 'The principal is an operator of the consumer (infra/policies/consumer.policy).'

export function addDeadLettersCommands(program: Command, context: CommandContext): void {
  const group = program
    .command('dead-letters')
    .helpCommand(false)
    .summary('list, explain and retry jobs that were set aside')
    .description(
      'Lists, explains and retries the jobs that workers have set aside. First remove the cause that the code names; then retry the job.',
    )

  group
    .command('list')
    .summary('list the jobs that were set aside')
    .description(
      'Reads the dead-letter stream without disturbing anyone and lists each job once, by its newest letter. Jobs that were retried, or whose object has a result by now, are listed only with --all. The stream keeps letters for its retention time.',
    )
    .requiredOption('--config <file>', 'the streams and buckets of the pool (below)')
    .option('--all', 'list also the jobs that were retried and those that have a result')
    .option('--json', 'print JSON, one line per letter')
    .addHelpText(
      'after',
      `
Example
  confidential-worker dead-letters list --config operator.json

${OPERATOR}
${CONFIGURATION}
Exit codes
  0   listed; nothing may be set aside
  75  try again
  78  the configuration or a permission must be changed first`,
    )
    .action((options: ListArguments) => list(options, context))

  group
    .command('show')
    .summary('explain why a job was set aside')
    .description(
      'Explains the newest letter of a job: what its code means, what to do, and what became of it.',
    )
    .argument('<job-id>', '32 hexadecimal digits, as `dead-letters list` prints them')
    .requiredOption('--config <file>', 'see `dead-letters list --help`')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker dead-letters show 5f1c…e2 --config operator.json

Exit codes
  0   shown
  1   no letter about this job
  75  try again
  78  the configuration or a permission must be changed first`,
    )
    .action((jobId: string, options: Arguments) => show(jobId, options, context))

  group
    .command('retry')
    .summary('run a job again that was set aside')
    .description(
      'Begins a new round of attempts, in which earlier attempts no longer count, and publishes the job again. Up to nine rounds. A job whose object has a result is refused. Running the command twice for one letter publishes the job again, in the same round.',
    )
    .argument('<job-id>', '32 hexadecimal digits, as `dead-letters list` prints them')
    .requiredOption('--config <file>', 'see `dead-letters list --help`')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker dead-letters retry 5f1c…e2 --config operator.json

Exit codes
  0   the job is on the stream again
  1   refused: it has a result, was retried nine times, or no letter is about it
  75  try again
  78  the configuration or a permission must be changed first`,
    )
    .action((jobId: string, options: Arguments) => retry(jobId, options, context))
}

async function list({ config, all, json }: ListArguments, context: CommandContext): Promise<void> {
  const { terminal } = context
  await withServices(config, context, async (services) => {
    const { found, strange } = await readLetters(services)
    const shown: ShownLetter[] = []
    for (const each of found) {
      const standing = each.job === undefined ? null : await standingOf(each.job, each, services)
      if (all === true || standing === null || standing.state === 'set-aside')
        shown.push({ ...each, standing })
    }
    if (json === true) for (const each of shown) terminal.printJson(fieldsOf(each))
    else terminal.print(renderLetters(shown))
    if (strange > 0) terminal.warn(`${strange} messages on the dead-letter stream are no dead letters`)
  })
}

async function show(jobId: string, { config, json }: Arguments, context: CommandContext): Promise<void> {
  assertJobId(jobId)
  await withServices(config, context, async (services) => {
    const found = await findLetter(jobId, services)
    const shown = { ...found, standing: await standingOf(found.job, found, services) }
    if (json === true) context.terminal.printJson(fieldsOf(shown))
    else context.terminal.print(renderLetter(shown))
  })
}

async function retry(jobId: string, { config, json }: Arguments, context: CommandContext): Promise<void> {
  assertJobId(jobId)
  await withServices(config, context, async (services) => {
    const retried = await retryJob(jobId, services)
    if (json === true) context.terminal.printJson(retried)
    else context.terminal.print(renderRetried(retried))
  })
}

function assertJobId(text: string): void {
  if (!/^[0-9a-f]{32}$/.test(text))
    throw new CodedError('usage.invalid', 'the job id is not 32 hexadecimal digits in lower case')
}

async function withServices(
  path: string,
  { terminal }: CommandContext,
  work: (services: RetryServices) => Promise<void>,
): Promise<void> {
  const [{ readConfig }, { openServices }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
  ])
  const config = await readConfig(path, DeadLettersConfig, 'dead-letters')
  const oci = openServices(config)
  const { namespace, streams, buckets } = config
  const bucket = (name: string) => ({ namespace, bucket: name })
  try {
    await work({
      store: oci.objectStore(),
      buckets: { state: bucket(buckets.state), results: bucket(buckets.results) },
      letters: oci.streamReader({ streamId: streams.deadLetters }),
      jobs: oci.streamProducer({ streamId: streams.jobs }),
      signal: terminal.interruption(),
    })
  } finally {
    oci.close()
  }
}
