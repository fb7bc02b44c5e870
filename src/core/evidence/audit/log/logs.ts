/** The logs in a bucket, one at a time: what they consist of, and whose they are. */
import { logOrigin, type Role } from '../../../boot/boot.ts'
import type { Registration } from '../../../boot/registration.ts'
import type { ObjectReader } from '../../../objectReader.ts'
import type { Entry } from '../../entry.ts'
import { parseLogKey } from '../../logKey.ts'
import { type NoteKey, noteKey } from '../../note.ts'
import { isRecordedName } from '../../record.ts'
import { isWitnessName } from '../../witness/names.ts'
import { Newest } from '../bounded.ts'
import { type Findings, messageOf } from '../finding.ts'
import type { LogReport } from '../report.ts'
import type { Compute } from '../tasks.ts'
import { readCheckpoints } from './checkpoints.ts'
import { AuditedLog } from './log.ts'
import { LogSurvey } from './survey.ts'

export type Bucket = {
  readonly objects: ObjectReader
  readonly role: Role
  readonly registrations: ReadonlyMap<string, Registration>
  readonly findings: Findings
  readonly compute: Compute
}

/** The logs of one role, without their entries. A registered boot without a log is a finding. */
async function* openLogs(bucket: Bucket): AsyncGenerator<AuditedLog> {
  const { objects, role, registrations, findings, compute } = bucket
  const present = new Set<string>()
  for await (const survey of surveysOf(bucket)) {
    const { boot } = survey
    const find = findings.of(boot)
    const key = await keyOf(boot, bucket)
    const registration = registrations.get(boot)?.role === role ? registrations.get(boot) : undefined
    if (registration !== undefined) present.add(boot)
    if (key === undefined) continue
    const checkpoints = await readCheckpoints({ boot, key, objects }, survey.sizes, { compute, find })
    yield new AuditedLog({ role, survey, key, checkpoints, objects, registration, find })
  }
  for (const { boot, role: registered } of registrations.values())
    if (registered === role && !present.has(boot))
      findings.of(boot)('log.missing', null, `the ${role} ${boot} is registered, and its log is absent`)
}

/** Names come in order, so those of one boot are adjacent. */
async function* surveysOf({ objects, role, findings }: Bucket): AsyncGenerator<LogSurvey> {
  let survey: LogSurvey | undefined
  for await (const name of objects.list('')) {
    const [, boot = '', rest = ''] = /^([a-z2-7]{26})\/(.+)$/s.exec(name) ?? []
    if (boot === '') {
      const isKept = name.startsWith('registration/') || isRecordedName(name) || isWitnessName(name)
      if (role === 'worker' || !isKept)
        findings.add('object.unexpected', `${name} is not in the folder of a log`)
      continue
    }
    if (survey !== undefined && survey.boot !== boot) yield survey
    if (survey?.boot !== boot) survey = new LogSurvey(boot, findings.of(boot))
    survey.add(rest)
  }
  if (survey !== undefined) yield survey
}

/**
 * A boot is the digest of its key, so the key beside the log proves itself. A registration names its owner.
 */
async function keyOf(
  boot: string,
  { objects, role, registrations, findings }: Bucket,
): Promise<NoteKey | undefined> {
  const registration = registrations.get(boot)
  const registered =
    registration?.role === role ? noteKey(logOrigin(role, boot), registration.key) : undefined
  try {
    const key = parseLogKey((await objects.read(`${boot}/key`, 1024)) ?? Buffer.alloc(0), role, boot)
    return registered ?? key
  } catch (error) {
    findings.of(boot)('log.unverifiable', null, `${boot}/key: ${messageOf(error)}`)
    return registered
  }
}

/** The logs of registered boots, by boot, and the reports of the others. */
export class Logs {
  readonly #logs = new Map<string, AuditedLog>()
  readonly #registrations: ReadonlyMap<string, Registration>
  readonly #strangers = new Newest<LogReport>(MAX_STRANGERS, ({ lastAt }) => lastAt ?? 0)

  constructor(registrations: ReadonlyMap<string, Registration>) {
    this.#registrations = registrations
  }

  get registered(): readonly AuditedLog[] {
    return [...this.#logs.values()]
  }

  get(boot: string): AuditedLog | undefined {
    return this.#logs.get(boot)
  }

  /** True if `log.missing` reports the whole log: its absent entries are then no findings of their own. */
  isMissing(boot: string): boolean {
    return !this.#logs.has(boot) && this.#registrations.has(boot)
  }

  /** Opens the logs of a bucket. Those of strangers are read at once, and judged by themselves. */
  async read(bucket: Bucket): Promise<void> {
    for await (const log of openLogs(bucket))
      if (log.registration !== undefined) this.#logs.set(log.boot, log)
      else this.#strangers.add(await reportStranger(log, bucket.findings))
  }

  get reports(): readonly LogReport[] {
    return [...this.registered.map(({ report }) => report), ...this.#strangers.rows]
  }
}

/** Anyone with an attested guest can write such a log. The newest are reported. */
const MAX_STRANGERS = 1000

/** Events about a key: only a registered boot may log them. */
const OF_RELEASES: ReadonlySet<string> = new Set([
  'boot.registered',
  'release.decided',
  'release.issued',
  'release.failed',
  'release.interrupted',
  'release.refused',
  'worker.accepted',
  'worker.refused',
  'key.received',
  'result.intent',
  'result.visible',
  'result.superseded',
] satisfies Entry['event'][])

async function reportStranger(log: AuditedLog, findings: Findings): Promise<LogReport> {
  let unrecorded = 0
  for await (const { entry } of log.entries()) if (OF_RELEASES.has(entry.event)) unrecorded += 1
  if (unrecorded > 0)
    findings.of(log.boot)(
      'log.unregistered',
      null,
      `${unrecorded} entries about releases by an unregistered boot`,
    )
  return log.report
}
