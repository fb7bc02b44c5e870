/** The demo from beginning to end. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountTableFormat } from '#core/egress/table.ts'
import { codeOf } from '#core/errors.ts'
import { exportEvidence, verifyEvidence, writeReport } from './audit.ts'
import { openCounts } from './counts.ts'
import { type Deployment, startDeployment } from './deployment.ts'
import { createLogWatch, type LogWatch } from './logWatch.ts'
import { copyMetrics, watchMemory } from './metrics.ts'
import { verifierName } from './names.ts'
import type { DemoOptions } from './options.ts'
import type { DemoOutput, RunStep } from './output.ts'
import { probe } from './probes.ts'
import { followJob } from './processing.ts'
import { prepareInput, sealAndUpload } from './sealing.ts'
import { explainRefusals, type Summary, summaryText, tableText } from './summary.ts'

const WORKERS = ['worker-1', 'worker-2'] as const

/** Throws the code of the first step that fails. Stops everything that was started, in either case. */
export async function runDemo(
  options: DemoOptions,
  output: DemoOutput,
  signal: AbortSignal,
): Promise<Summary> {
  const { step, print } = output
  const started = performance.now()
  print(
    'SIMULATION: Oracle Cloud and the AMD processors are emulated on this machine. All formats, checks and',
    'signatures are real, but nothing here is confidential. Use synthetic data.',
    '',
    'Two organisations set up: a hospital that provides data and a research organisation that computes on it',
  )
  const watch = createLogWatch()
  const deployment = await startDeployment({
    folder: options.out,
    workers: WORKERS.length,
    verifiers: options.verifiers,
    step,
    onLine: watch.onLine,
    signal,
  })
  try {
    const summary = await runSteps(deployment, { options, output, watch, started })
    if (options.keep) await keepRunning(deployment, [...verifiersOf(options), ...WORKERS], output)
    return summary
  } catch (error) {
    // If a program ended, that is the cause; later errors only follow from it.
    throw deployment.signal.aborted ? deployment.signal.reason : error
  } finally {
    await step('demo', 'stops every program', deployment.close)
  }
}

async function runSteps(
  deployment: Deployment,
  context: {
    readonly options: DemoOptions
    readonly output: DemoOutput
    readonly watch: LogWatch
    readonly started: number
  },
): Promise<Summary> {
  const { options, output, watch, started } = context
  const { step, print } = output
  const memory = watchMemory(deployment, WORKERS)
  try {
    print('', 'One file, from the hospital to the result')
    const file = await prepareInput(options, deployment, step)
    const { sealed, job } = await sealAndUpload(file, deployment, step)
    const processed = await followJob(job, deployment, { step, watch, memory })

    print('', 'Three machines that must not get the key ask for it')
    const refused = await probe(deployment, job, step)
    await memory.stop()
    await copyMetrics(deployment, [...verifiersOf(options), ...WORKERS])

    print('', 'The audit')
    const audited = await audit(deployment, [...WORKERS, ...verifiersOf(options)], step)
    const reportFile = await step(
      'auditor',
      'writes the report for people, with the counts that the audit key opens',
      () => writeReport(deployment),
    )
    print(
      '',
      'Why the three were refused. The hospital reads the reasons in the evidence; the machines were not told',
      ...explainRefusals(refused, audited),
    )

    print('', 'The result')
    const resultFile = join(deployment.folders.root, 'result.json')
    const table = await step(
      'researcher',
      'verifies the result and opens it with a key of its own Vault',
      () => openResult(deployment, processed.resultId, resultFile),
      (opened) => `${opened.table.length} cells`,
    )
    print('', ...tableText(table), '')
    const counts = await openCounts(deployment.folders.evidence, processed.resultId, deployment.auditKeyFile)
    const summary = {
      folders: deployment.folders,
      trustFile: deployment.configOf('trust'),
      sealed,
      processed,
      refused,
      audited,
      counts,
      table,
      resultFile,
      reportFile,
      peaks: memory.peaks,
      elapsedMs: performance.now() - started,
    }
    print(...summaryText(summary), '')
    return summary
  } finally {
    await memory.stop()
  }
}

function verifiersOf({ verifiers }: DemoOptions): readonly string[] {
  return Array.from({ length: verifiers }, (_, index) => verifierName(index))
}

/** Audits closed logs: the workers and the Verifier stop first, and their last entries say so. */
async function audit(deployment: Deployment, programs: readonly string[], step: RunStep) {
  await step('demo', 'stops the workers and the Verifier; each closes its evidence log', async () => {
    for (const name of programs) await deployment.program(name)?.stop()
  })
  return await step(
    'auditor',
    "copies the evidence of both sides and verifies it from the signers' public keys",
    async () => {
      await exportEvidence(deployment)
      return await verifyEvidence(deployment)
    },
    ({ verdict, allowed, refused }) => `${verdict}, ${allowed} allowed, ${refused.length} refused`,
  )
}

async function openResult({ command, configOf }: Deployment, resultId: string, out: string) {
  await command(['open', resultId, '--config', configOf('open'), '--out', out, '--json'])
  return CountTableFormat.decode(await readFile(out))
}

async function keepRunning(
  { start, reviveEnded, signal, endpoint, configOf }: Deployment,
  programs: readonly string[],
  { print }: DemoOutput,
): Promise<void> {
  for (const name of programs) await start(name)
  reviveEnded()
  print(
    `Everything keeps running until Ctrl-C. OCI's services are at ${endpoint}. Try:`,
    `  npm run --silent cli -- seal FILE --config ${configOf('seal')} --upload`,
    `  npm run --silent cli -- open --list --config ${configOf('open')}`,
    `  npm run --silent cli -- policy init --next --config ${configOf('govern')} --out policy-2.json`,
    'docs/governance.md goes on from here.',
  )
  if (!signal.aborted) await once(signal, 'abort')
  // Ctrl-C is the expected end. The death of a program is an error.
  if (codeOf(signal.reason) !== 'process.interrupted') throw signal.reason
}
