/** All logs of one role: each is replayed under its own key, and its entries are recorded in order. */
import { logOrigin, type Role } from '../../boot/boot.ts'
import type { Registration } from '../../boot/registration.ts'
import { toBase64url } from '../../bytes.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { type Entry, EntryFormat } from '../entry.ts'
import { parseLogKey } from '../logKey.ts'
import { type NoteKey, noteKey } from '../note.ts'
import { isRecordedName } from '../record.ts'
import { type FindInLog, type Findings, messageOf } from './finding.ts'
import type { EntryPlace } from './histories.ts'
import type { LogSource } from './logObjects.ts'
import { type Replay, replayLog } from './replay.ts'
import type { LogReport } from './report.ts'

export type AuditedLog = { readonly report: LogReport; readonly key: NoteKey; readonly replay: Replay }

/** The audited logs, by boot. */
export class Logs {
  readonly #logs: ReadonlyMap<string, AuditedLog>
  readonly #registrations: ReadonlyMap<string, Registration>

  constructor(logs: readonly AuditedLog[], registrations: ReadonlyMap<string, Registration>) {
    this.#logs = new Map(logs.map((log) => [log.report.boot, log]))
    this.#registrations = registrations
  }

  get(boot: string): AuditedLog | undefined {
    return this.#logs.get(boot)
  }

  /** True if `log.missing` reports the whole log: its absent entries are then no findings of their own. */
  isMissing(boot: string): boolean {
    return !this.#logs.has(boot) && this.#registrations.has(boot)
  }
}

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

export type LogAudit = {
  readonly objects: ObjectReader
  readonly role: Role
  readonly registrations: ReadonlyMap<string, Registration>
  readonly findings: Findings
  /** Takes the entries of registered boots, those of one log in order. */
  readonly record: (entry: Entry, place: EntryPlace) => void
}

export async function auditLogs(audit: LogAudit): Promise<AuditedLog[]> {
  const { objects, role, registrations, findings } = audit
  const logs: AuditedLog[] = []
  const present = new Set<string>()
  for await (const { boot, names } of logsOf(audit)) {
    present.add(boot)
    const key = await keyOf(boot, audit)
    if (key !== undefined) logs.push(await auditLog({ boot, key, objects, names }, audit))
  }
  for (const { boot, role: registered } of registrations.values())
    if (registered === role && !present.has(boot))
      findings.of(boot)('log.missing', null, `the ${role} ${boot} is registered, and its log is absent`)
  return logs
}

/** One log at a time: names come in order, so those of one boot are adjacent. */
async function* logsOf({ objects, role, findings }: LogAudit) {
  let boot = ''
  let names: string[] = []
  for await (const name of objects.list('')) {
    const [, owner = '', rest = ''] = /^([a-z2-7]{26})\/(.+)$/.exec(name) ?? []
    if (owner === '') {
      const isKept = name.startsWith('registration/') || isRecordedName(name)
      if (role === 'worker' || !isKept)
        findings.add('object.unexpected', `${name} is not in the folder of a log`)
      continue
    }
    if (owner !== boot && boot !== '') yield { boot, names }
    if (owner !== boot) names = []
    boot = owner
    names.push(rest)
  }
  if (boot !== '') yield { boot, names }
}

/**
 * A boot is the digest of its key, so the key beside the log proves itself. A registration names its owner.
 */
async function keyOf(boot: string, audit: LogAudit): Promise<NoteKey | undefined> {
  const { objects, role, registrations, findings } = audit
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

async function auditLog(source: LogSource, audit: LogAudit): Promise<AuditedLog> {
  const { boot, key } = source
  const { role, registrations, findings, record } = audit
  const find = findings.of(boot)
  const registration = registrations.get(boot)
  const registered = registration?.role === role
  let unrecorded = 0
  const decoder = new EntryDecoder(role, boot, find)
  const replay = await replayLog(source, find, (index, bytes) => {
    const entry = decoder.decode(index, bytes)
    if (entry === undefined) return
    if (registered) record(entry, { role, boot, index })
    else if (OF_RELEASES.has(entry.event)) unrecorded += 1
  })
  if (unrecorded > 0)
    find('log.unregistered', null, `${unrecorded} entries about releases by an unregistered boot`)
  const { opened, openedAt, lastAt, closed } = decoder
  if (registered && opened !== undefined && opened.simulation !== registration.simulation)
    find('registration.unverified', 0, 'log and registration disagree about simulation')
  const report: LogReport = {
    role,
    boot,
    status: closed ? 'closed' : 'open',
    registered,
    simulation: opened?.simulation ?? registration?.simulation ?? false,
    software: opened?.software ?? null,
    measurement: registration?.attestation?.measurement ?? null,
    assurance: registration?.attestation?.assurance ?? null,
    size: replay.size,
    root: toBase64url(replay.root),
    checkpoints: replay.checkpoints.size,
    unsealed: replay.unsealed,
    openedAt,
    lastAt,
  }
  return { report, key, replay }
}

/**
 * Decodes the entries of one log in order: strict form, no earlier time than before, opened first and closed
 * last.
 */
class EntryDecoder {
  readonly #role: Role
  readonly #boot: string
  readonly #find: FindInLog
  opened: Extract<Entry, { event: 'log.opened' }> | undefined
  openedAt: number | null = null
  lastAt: number | null = null
  closed = false

  constructor(role: Role, boot: string, find: FindInLog) {
    this.#role = role
    this.#boot = boot
    this.#find = find
  }

  decode(index: number, bytes: Buffer | undefined): Entry | undefined {
    const entry = this.#parse(index, bytes)
    if (entry === undefined) return undefined
    const { event, time } = entry
    if (this.lastAt !== null && time < this.lastAt)
      this.#find('time.backwards', index, `${event} is ${this.lastAt - time} s older than the entry before`)
    if (this.closed) this.#find('log.order', index, `${event} follows log.closed`)
    if ((event === 'log.opened') !== (index === 0))
      this.#find('log.order', index, `entry ${index} is ${event}`)
    this.openedAt ??= time
    this.lastAt = time
    if (entry.event === 'log.closed') this.closed = true
    if (entry.event === 'log.opened') {
      this.opened = entry
      if (entry.boot !== this.#boot || entry.role !== this.#role)
        this.#find('log.order', index, `log.opened names the ${entry.role} ${entry.boot}`)
    }
    return entry
  }

  #parse(index: number, bytes: Buffer | undefined): Entry | undefined {
    try {
      return bytes === undefined ? undefined : EntryFormat.decode(bytes)
    } catch (error) {
      this.#find('entry.malformed', index, messageOf(error))
      return undefined
    }
  }
}
