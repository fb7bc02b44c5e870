/** All logs of one role: each replayed under the key that its name stands for, its entries handed on in order. */
import { bootOf, logOrigin } from '../../boot/boot.ts'
import type { Registration } from '../../boot/registration.ts'
import { fromUtf8, toBase64url } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { type Entry, EntryFormat } from '../entry.ts'
import { type NoteKey, noteKey, parseVkey } from '../note.ts'
import type { Shelf } from './collection.ts'
import type { Findings } from './finding.ts'
import { type Replay, replayLog } from './replay.ts'
import type { LogReport } from './report.ts'

type Role = Registration['role']

export type AuditedLog = { readonly report: LogReport; readonly key: NoteKey; readonly replay: Replay }

/** The logs that were audited, by boot. */
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

  /** `log.missing` says it once: what such a log would have had to say is not asked for again. */
  isMissing(boot: string): boolean {
    return !this.#logs.has(boot) && this.#registrations.has(boot)
  }
}

export type EntryTaker = (entry: Entry, role: Role, boot: string, index: number) => void

/** Events that are about somebody's key: only a registered boot may speak of them. */
const OF_RELEASES: ReadonlySet<string> = new Set([
  'boot.registered',
  'release.decided',
  'release.issued',
  'release.failed',
  'release.refused',
  'key.received',
  'result.intent',
  'result.visible',
  'result.superseded',
] satisfies Entry['event'][])

export async function auditLogs(
  shelf: Shelf,
  role: Role,
  registrations: ReadonlyMap<string, Registration>,
  findings: Findings,
  take: EntryTaker,
): Promise<AuditedLog[]> {
  const logs: AuditedLog[] = []
  const present = new Set<string>()
  for await (const { boot, names } of logsOf(shelf, role, findings)) {
    present.add(boot)
    const registration = registrations.get(boot)
    const key = await keyOf(shelf, role, boot, registration, findings)
    if (key !== undefined)
      logs.push(await auditLog({ boot, key, shelf, names }, role, registration, findings, take))
  }
  for (const { boot, role: registered } of registrations.values())
    if (registered === role && !present.has(boot))
      findings.add(
        'log.missing',
        boot,
        null,
        `the ${role} ${boot} is registered, and its whole log is not there`,
      )
  return logs
}

/** One log at a time: names come in order, so those of one boot stand together. */
async function* logsOf(shelf: Shelf, role: Role, findings: Findings) {
  let boot = ''
  let names: string[] = []
  for await (const name of shelf.list('')) {
    const [, owner = '', rest = ''] = /^([a-z2-7]{26})\/(.+)$/.exec(name) ?? []
    if (owner === '') {
      if (role === 'worker' || !name.startsWith('registration/'))
        findings.add('object.unexpected', null, null, `${name} belongs to no log`)
      continue
    }
    if (owner !== boot && boot !== '') yield { boot, names }
    if (owner !== boot) names = []
    boot = owner
    names.push(rest)
  }
  if (boot !== '') yield { boot, names }
}

/** A boot is the digest of its key, so the key beside the log proves itself; a registration says whose it is. */
async function keyOf(
  shelf: Shelf,
  role: Role,
  boot: string,
  registration: Registration | undefined,
  findings: Findings,
): Promise<NoteKey | undefined> {
  const registered =
    registration?.role === role ? noteKey(logOrigin(role, boot), registration.key) : undefined
  try {
    const line = fromUtf8((await shelf.read(`${boot}/key`, 1024)) ?? Buffer.alloc(0))
    if (!line.endsWith('\n'))
      throw new CodedError('evidence.malformed', 'the key is not there, or not one line')
    const key = parseVkey(line.slice(0, -1))
    if (key.name !== logOrigin(role, boot) || bootOf(key.jwk) !== boot)
      throw new CodedError('evidence.inconsistent', 'the key is of another log')
    return registered ?? key
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    findings.add('log.unverifiable', boot, null, `${boot}/key: ${error.message}`)
    return registered
  }
}

async function auditLog(
  source: Parameters<typeof replayLog>[0],
  role: Role,
  registration: Registration | undefined,
  findings: Findings,
  take: EntryTaker,
): Promise<AuditedLog> {
  const { boot, key } = source
  const registered = registration?.role === role
  let unheard = 0
  const reading = new EntryReading(role, boot, findings)
  const replay = await replayLog(source, findings, (index, bytes) => {
    const entry = reading.read(index, bytes)
    if (entry === undefined) return
    if (registered) take(entry, role, boot, index)
    else if (OF_RELEASES.has(entry.event)) unheard += 1
  })
  if (unheard > 0)
    findings.add(
      'log.unregistered',
      boot,
      null,
      `${unheard} entries about releases by a boot that nobody registered`,
    )
  const { opened, openedAt, lastAt, closed } = reading
  if (registered && opened !== undefined && opened.simulation !== registration.simulation)
    findings.add('registration.unverified', boot, 0, 'log and registration do not agree on simulation')
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

/** The entries of one log in order: decoded strictly, time not going back, opened first and closed last. */
class EntryReading {
  readonly #role: Role
  readonly #boot: string
  readonly #findings: Findings
  opened: Extract<Entry, { event: 'log.opened' }> | undefined
  openedAt: number | null = null
  lastAt: number | null = null
  closed = false

  constructor(role: Role, boot: string, findings: Findings) {
    this.#role = role
    this.#boot = boot
    this.#findings = findings
  }

  read(index: number, bytes: Buffer | undefined): Entry | undefined {
    const entry = this.#decode(index, bytes)
    if (entry === undefined) return undefined
    const { event, time } = entry
    if (this.lastAt !== null && time < this.lastAt)
      this.#findings.add(
        'time.backwards',
        this.#boot,
        index,
        `${event} is ${this.lastAt - time} s older than before`,
      )
    if (this.closed) this.#findings.add('log.order', this.#boot, index, `${event} follows log.closed`)
    if ((event === 'log.opened') !== (index === 0))
      this.#findings.add('log.order', this.#boot, index, `entry ${index} is ${event}`)
    this.openedAt ??= time
    this.lastAt = time
    if (entry.event === 'log.closed') this.closed = true
    if (entry.event === 'log.opened') {
      this.opened = entry
      if (entry.boot !== this.#boot || entry.role !== this.#role)
        this.#findings.add('log.order', this.#boot, index, `log.opened names the ${entry.role} ${entry.boot}`)
    }
    return entry
  }

  #decode(index: number, bytes: Buffer | undefined): Entry | undefined {
    try {
      return bytes === undefined ? undefined : EntryFormat.decode(bytes)
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      this.#findings.add('entry.malformed', this.#boot, index, error.message)
      return undefined
    }
  }
}
