/** One log of the collection: its signed checkpoints, its entries in order, and what the report says of it. */
import type { Role } from '../../../boot/boot.ts'
import type { Registration } from '../../../boot/registration.ts'
import { toBase64url } from '../../../bytes.ts'
import type { ObjectReader } from '../../../objectReader.ts'
import type { Entry } from '../../entry.ts'
import type { NoteKey } from '../../note.ts'
import type { FindInLog } from '../finding.ts'
import type { LogReport } from '../report.ts'
import type { Checkpoints } from './checkpoints.ts'
import { EntryDecoder } from './decoder.ts'
import { LogReplay } from './replay.ts'
import type { LogSurvey } from './survey.ts'

type Placed<One> = {
  readonly role: Role
  readonly boot: string
  readonly index: number
  readonly entry: One
}

/** An entry of a log, with its place. */
export type AnyLogged = Placed<Entry>
/** One of some events. */
export type Logged<Event extends Entry['event']> = Placed<Extract<Entry, { event: Event }>>

export class AuditedLog {
  readonly role: Role
  readonly boot: string
  readonly key: NoteKey
  readonly checkpoints: Checkpoints
  readonly registration: Registration | undefined
  readonly #find: FindInLog
  readonly #replay: LogReplay
  readonly #decoder: EntryDecoder

  constructor(log: {
    readonly role: Role
    readonly survey: LogSurvey
    readonly key: NoteKey
    readonly checkpoints: Checkpoints
    readonly objects: ObjectReader
    /** Of this boot in this role. */
    readonly registration: Registration | undefined
    readonly find: FindInLog
  }) {
    const { role, survey, key, checkpoints, objects, registration, find } = log
    this.role = role
    this.boot = survey.boot
    this.key = key
    this.checkpoints = checkpoints
    this.registration = registration
    this.#find = find
    this.#replay = new LogReplay({ survey, checkpoints, objects }, find)
    this.#decoder = new EntryDecoder(role, survey.boot, find)
  }

  /** The sealed entries in order, but for those that are lost or malformed, which are findings. */
  async *entries(): AsyncGenerator<AnyLogged> {
    const { role, boot } = this
    for await (const { first, entries } of this.#replay.entries())
      for (const [i, bytes] of entries.entries()) {
        const entry = this.#decoder.decode(first + i, bytes)
        if (entry !== undefined) yield { role, boot, index: first + i, entry }
      }
    const { opened } = this.#decoder
    const { registration } = this
    if (registration !== undefined && opened !== undefined && opened.simulation !== registration.simulation)
      this.#find('registration.unverified', 0, 'log and registration disagree about simulation')
  }

  /** Number of entries under the last consistent checkpoint, as far as they were read. */
  get size(): number {
    return this.#replay.size
  }

  get isClosed(): boolean {
    return this.#decoder.closed
  }

  get report(): LogReport {
    const { opened, openedAt, lastAt, closed } = this.#decoder
    const { registration } = this
    return {
      role: this.role,
      boot: this.boot,
      status: closed ? 'closed' : 'open',
      registered: registration !== undefined,
      simulation: opened?.simulation ?? registration?.simulation ?? false,
      software: opened?.software ?? null,
      client: registration?.attestation?.client ?? null,
      reference: registration?.attestation?.reference ?? null,
      measurement: registration?.attestation?.measurement ?? null,
      assurance: registration?.attestation?.assurance ?? null,
      size: this.#replay.size,
      root: toBase64url(this.#replay.root),
      checkpoints: this.checkpoints.count,
      unsealed: this.#replay.unsealed,
      openedAt,
      lastAt,
    }
  }
}
