/** Runs one scenario: objects before, during and after its cause, the return to whole, and the verdict. */
import { setTimeout as sleep } from 'node:timers/promises'
import { auditSite } from '../auditRun.ts'
import { prepareGood, type Upload } from '../objects.ts'
import { judge, judgeMeanwhile } from '../oracle/judge.ts'
import type { UploadedObject, Violation } from '../oracle/world.ts'
import { workLeft } from '../progress.ts'
import { insist, type Site } from '../site.ts'
import { worldMeanwhile, worldOf } from '../siteWorld.ts'
import { notReady } from './readiness.ts'
import type { Scenario, Stage, UploadOptions } from './scenario.ts'

const WHOLE_SECONDS = 60
/** Waited for beyond the bound, so that the report can say how late it was. */
const PATIENCE_SECONDS = 900
const POLL_MS = 250
const UNDER_EVERY_MS = 4000
const UNDER_AT_MOST = 40
const MEANWHILE_EVERY = 5
const BEFORE = 4
const AFTER = 4

export type ScenarioReport = {
  readonly scenario: string
  readonly objects: number
  /** The length of the cause, and from its end until the pool was whole. */
  readonly causeSeconds: number
  readonly wholeSeconds: number
  readonly bound: number
  readonly violations: readonly Violation[]
}

export async function runScenario(
  site: Site,
  scenario: Scenario,
  { minutes }: { readonly minutes: number },
): Promise<ScenarioReport> {
  const { name, bound = WHOLE_SECONDS } = scenario
  const uploads = createUploads(site, `${name}-${Date.now()}`)
  // Sealed beforehand: the cause may take the Vault away.
  await uploads.prepare(BEFORE + UNDER_AT_MOST + AFTER)
  await uploads.add(BEFORE)
  const undone: (() => Promise<void>)[] = []
  const start = performance.now()
  await scenario.cause({
    site,
    minutes,
    upload: uploads.add,
    under: uploads.under,
    atEnd: (undo) => undone.push(undo),
  })
  const end = performance.now()
  await insist(() => site.system.deployment.control.clearFaults())
  await uploads.add(uploads.owed() + AFTER)
  const late = await untilWhole(site, uploads.done, end)
  const wholeSeconds = (performance.now() - end) / 1000
  for (const undo of undone) await undo()
  await insist(() => site.pool.settle())
  const text = `whole after ${wholeSeconds.toFixed(1)} s, expected at most ${bound}${late === undefined ? '' : `: ${late}`}`
  return {
    scenario: name,
    objects: uploads.done.length,
    causeSeconds: (end - start) / 1000,
    wholeSeconds,
    bound,
    violations: [
      ...(wholeSeconds > bound ? [{ invariant: 'pool.whole', subject: 'pool', text }] : []),
      ...uploads.meanwhile,
      ...site.pool.takeViolations(),
      ...(await auditSite(site)),
      ...(await judge(await worldOf(site, uploads.done))),
    ],
  }
}

/** What is left when patience ends; undefined if every job has ended and every program serves. */
async function untilWhole(
  site: Site,
  uploads: readonly UploadedObject[],
  since: number,
): Promise<string | undefined> {
  const jobIds = uploads.map(({ jobId }) => jobId)
  for (;;) {
    const left =
      (await workLeft(site, jobIds).catch((error: unknown) => String(error))) ?? (await notReady(site))
    if (left === undefined || performance.now() - since > PATIENCE_SECONDS * 1000) return left
    await sleep(POLL_MS)
  }
}

type Uploads = Pick<Stage, 'under'> & {
  readonly done: readonly UploadedObject[]
  readonly prepare: (count: number) => Promise<void>
  readonly add: Stage['upload']
  /** How many uploads failed during the cause. */
  readonly owed: () => number
  /** What the judge found during the cause. */
  readonly meanwhile: readonly Violation[]
}

function createUploads(site: Site, prefix: string): Uploads {
  const done: UploadedObject[] = []
  const prepared: Upload[] = []
  let named = 0
  let owed = 0
  const meanwhile: Violation[] = []
  const seal = ({ kills = false, ...options }: UploadOptions): Promise<Upload> => {
    named += 1
    return prepareGood(site.system, { name: `${prefix}-${named}`, kills, ...options })
  }
  const next = async (options: UploadOptions): Promise<Upload> =>
    (options.kills || options.lines !== undefined ? undefined : prepared.shift()) ??
    (await insist(() => seal(options)))
  const put = async (upload: Upload, kills: boolean): Promise<void> => {
    const object = await upload()
    if (kills) site.killers.add(object.jobId)
    // An upload that was repeated gives the same object.
    if (!done.some(({ jobId }) => jobId === object.jobId)) done.push(object)
  }
  const addOne = async (options: UploadOptions): Promise<void> => {
    const upload = await next(options)
    await insist(() => put(upload, options.kills ?? false))
  }
  return {
    done,
    owed: () => owed,
    meanwhile,
    prepare: async (count) => {
      for (let index = 0; index < count; index += 1) prepared.push(await seal({}))
    },
    add: async (count, options = {}) => {
      for (let index = 0; index < count; index += 1) await addOne(options)
    },
    under: async (cause) => {
      const over = Promise.withResolvers<'over'>()
      const end = () => over.resolve('over')
      cause.then(end, end)
      for (let tries = 0; tries < UNDER_AT_MOST; tries += 1) {
        if ((await Promise.race([over.promise, sleep(UNDER_EVERY_MS)])) === 'over') break
        const upload = await next({})
        // An upload that fails may have stored its object: it is repeated after the cause.
        const failed = await Promise.race([
          put(upload, false).then(
            () => false,
            () => true,
          ),
          over.promise,
        ])
        if (tries % MEANWHILE_EVERY === 0)
          meanwhile.push(...(await judgeMeanwhile(worldMeanwhile(site, done))))
        if (failed !== false) {
          owed += 1
          prepared.unshift(upload)
          if (failed === 'over') break
        }
      }
      await cause
    },
  }
}
