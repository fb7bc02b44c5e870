/** The demonstration from beginning to end. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountTableFormat } from '#core/egress/table.ts'
import { codeOf } from '#core/errors.ts'
import { exportEvidence, verifyEvidence } from './audit.ts'
import { openCounts } from './counts.ts'
import { type Deployment, startDeployment } from './deployment.ts'
import { createLogWatch, type LogWatch } from './logWatch.ts'
import { copyMetrics, watchMemory } from './metrics.ts'
import type { DemoOptions } from './options.ts'
import type { Narrator, Terminal } from './output.ts'
import { probe } from './probes.ts'
import { follow, prepareInput, sealAndUpload } from './processing.ts'
import { explainRefusals, type Summary, summaryText, tableText } from './summary.ts'

const WORKERS = ['worker-1', 'worker-2'] as const

/** Throws the code of the first step that fails; whatever was started is stopped then. */
export async function runDemo(
  options: DemoOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Summary> {
  const { narrate, say } = terminal
  const started = performance.now()
  say(
    'SIMULATION: the cloud and the AMD processors are imitations on this machine. Every format, check and',
    'signature is the real one, but nothing here is confidential. Use made-up data.',
    '',
  )
  const watch = createLogWatch()
  const deployment = await startDeployment({
    folder: options.out,
    workers: WORKERS.length,
    narrate,
    onLine: watch.onLine,
    signal,
  })
  try {
    const summary = await tell(deployment, { options, terminal, watch, started })
    if (options.keep) await keep(deployment, terminal)
    return summary
  } catch (error) {
    // What followed from a program's end is not what was wrong.
    throw deployment.signal.aborted ? deployment.signal.reason : error
  } finally {
    await narrate('everyone', 'is shut down', deployment.close)
  }
}

async function tell(
  deployment: Deployment,
  act: {
    readonly options: DemoOptions
    readonly terminal: Terminal
    readonly watch: LogWatch
    readonly started: number
  },
): Promise<Summary> {
  const { options, terminal, watch, started } = act
  const { narrate, say } = terminal
  const memory = watchMemory(deployment, WORKERS)
  try {
    const stage = { deployment, narrate, watch, memory }
    say('')
    const file = await prepareInput(options, stage)
    const { sealed, job } = await sealAndUpload(file, stage)
    const processed = await follow(job, stage)
    say('')
    const refused = await probe(deployment, job, narrate)
    await memory.stop()
    await copyMetrics(deployment, ['verifier', ...WORKERS])

    say('')
    const audited = await audit(deployment, narrate)
    say(
      '',
      'Why they were refused, as the hospital reads in the evidence and whoever asked does not:',
      ...explainRefusals(refused, audited),
      '',
    )
    const resultFile = join(deployment.folders.root, 'result.json')
    const table = await narrate(
      'researcher',
      'verifies and opens the result with the key of its own Vault',
      () => openResult(deployment, processed.resultId, resultFile),
      (opened) => `${opened.table.length} cells`,
    )
    say('', ...tableText(table), '')
    const counts = await openCounts(deployment.folders.evidence, processed.resultId, deployment.auditKeyFile)
    const summary = {
      folders: deployment.folders,
      sealed,
      processed,
      refused,
      audited,
      counts,
      table,
      resultFile,
      peaks: memory.peaks,
      elapsedMs: performance.now() - started,
    }
    say(...summaryText(summary), '')
    return summary
  } finally {
    await memory.stop()
  }
}

/** Over closed logs: the workers and the Verifier end in order first, and say so in their last entries. */
async function audit(deployment: Deployment, narrate: Narrator) {
  await narrate('everyone', 'finishes what is in hand and closes its evidence log', async () => {
    for (const name of [...WORKERS, 'verifier']) await deployment.program(name)?.stop()
  })
  return await narrate(
    'auditor',
    "copies both sides' evidence, verifies it from the signers' public keys",
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

async function keep({ start, signal, endpoint, configOf }: Deployment, { say }: Terminal): Promise<void> {
  for (const name of ['verifier', ...WORKERS]) await start(name)
  say(
    `Everything runs on until Ctrl-C; OCI's services are at ${endpoint}. Try:`,
    `  npm run --silent cli -- seal FILE --config ${configOf('seal')} --upload`,
    `  npm run --silent cli -- open --list --config ${configOf('open')}`,
  )
  if (!signal.aborted) await once(signal, 'abort')
  // Ctrl-C is how this ends; a program that died is not.
  if (codeOf(signal.reason) !== 'process.interrupted') throw signal.reason
}
