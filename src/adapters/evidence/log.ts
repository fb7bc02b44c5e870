/**
 * The only writer of one log. `append` gives an entry its index and time. The entry is durable when a later
 * `flush` has returned; a flush is a group commit of everything appended before it.
 *
 * Crash argument. A commit writes, each object create-once: bundles, and beside them the objects that its
 * entries name → hash tiles → checkpoint. A crash in between leaves the last checkpoint true, and behind it an
 * unsealed tail without a signature. So an entry under a checkpoint never names an object that is absent, and
 * the objects cost no step of their own. The log is never continued: its key dies with the process, so the
 * next start opens another log.
 */
import type { KeyObject } from 'node:crypto'
import { abandonable } from '#adapters/system/abandonable.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { checkpointName, signCheckpoint } from '#core/evidence/checkpoint.ts'
import { type EntryBody, EntryFormat } from '#core/evidence/entry.ts'
import { GrowingLog, type LogObject } from '#core/evidence/growth.ts'
import { formatVkey, noteKey } from '#core/evidence/note.ts'
import { exportJwk } from '#core/jwk.ts'
import type { UnixSeconds } from '#core/time.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { type EndLimit, OpenReleases, type ReleaseChanges } from './openReleases.ts'

/**
 * The limit of entries that wait for a flush. Beyond it `append` refuses, so that an outage cannot fill the
 * memory.
 */
const MAX_PENDING = 8192
const MAX_PENDING_BYTES = 32 * 1024 * 1024
/** Names that are remembered. A forgotten one costs one more write, which finds the same bytes. */
const MAX_NAMED = 4096

/** True if a log that throws this code is not written any more. Only another boot helps. */
export function endsLog(code: ErrorCode): boolean {
  return code === 'evidence.conflict' || code === 'evidence.overdue'
}

/** A signed note over the log's first `size` entries. It is stored. */
export type SealedLog = { readonly checkpoint: string; readonly size: number }

export type EvidenceLog = {
  readonly boot: string
  /**
   * Returns the entry's index. Throws `evidence.malformed` if the schema refuses it, `evidence.unavailable`
   * if full.
   */
  readonly append: (body: EntryBody) => number
  /** The index that the next entry gets, unless another call comes in between. */
  readonly nextIndex: () => number
  /**
   * Appends all of them or none, and returns the index of the first. Throws as `append`. `named` are objects
   * that the entries name, by their whole names: they are stored before the entries are under a checkpoint,
   * and an object that was given before is not stored again.
   */
  readonly appendAll: (bodies: readonly EntryBody[], named?: readonly LogObject[]) => number
  /**
   * Resolves when everything appended before the call is under a stored checkpoint. `evidence.unavailable`:
   * nothing is lost, flush again. `evidence.conflict`: another writer uses this log's name.
   * `evidence.overdue`: a release was left without an end. Both end the log: it refuses everything from then
   * on. An abort ends the wait and not the commit.
   */
  readonly flush: (signal?: AbortSignal) => Promise<SealedLog>
  /**
   * Appends `log.closed` and flushes. May be called again after `evidence.unavailable`: the store does not
   * answer, or a decided release has no end yet.
   */
  readonly close: (reason: 'drained' | 'stopped') => Promise<SealedLog>
}

export function createEvidenceLog(options: {
  readonly store: ObjectStore
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly role: Registration['role']
  /** An Ed25519 private key that was generated in this process. */
  readonly key: KeyObject
  readonly boot: string
  readonly software: string
  readonly simulation: boolean
  /** The Verifier's time. If it goes back, entries keep the latest time seen. */
  readonly now: () => UnixSeconds
  /** For a log with decisions. */
  readonly endLimit?: EndLimit
}): EvidenceLog {
  const { role, boot, software, simulation } = options
  const writer = new LogWriter(options)
  writer.append([{ event: 'log.opened', role, boot, software, simulation }])
  return {
    boot,
    append: (body) => writer.append([body]),
    nextIndex: () => writer.size,
    appendAll: (bodies, named) => writer.append(bodies, named),
    flush: (signal) => writer.flush(signal),
    close: (reason) => writer.close(reason),
  }
}

/**
 * A commit in progress, kept until all of it is stored. No larger size is signed while this one may be lost.
 */
type Commit = {
  readonly stages: readonly (readonly LogObject[])[]
  readonly checkpoint: LogObject
  readonly releases: ReleaseChanges
  readonly sealed: SealedLog
}

class LogWriter {
  readonly #options: Parameters<typeof createEvidenceLog>[0]
  readonly #origin: string
  readonly #vkey: Buffer
  readonly #log = new GrowingLog()
  readonly #releases: OpenReleases
  // #size counts all entries. The last of them are #pending; a commit moves those into #log. #sealed is
  // stored.
  #size = 0
  #pending: Buffer[] = []
  #pendingBytes = 0
  // Objects that pending entries name, and the names of all that were given.
  #beside: LogObject[] = []
  readonly #named = new Set<string>()
  #time = 0
  #sealed: SealedLog | undefined
  #commit: Commit | undefined
  #running: Promise<void> | undefined
  #fault: CodedError | undefined
  #closed = false

  constructor(options: Parameters<typeof createEvidenceLog>[0]) {
    const jwk = exportJwk(options.key)
    if (jwk.kty !== 'OKP' || bootOf(jwk) !== options.boot)
      throw new CodedError('internal.fault', `the boot ${options.boot} is not the name of its evidence key`)
    this.#options = options
    this.#releases = new OpenReleases(options.endLimit)
    this.#origin = logOrigin(options.role, options.boot)
    this.#vkey = utf8(`${formatVkey(noteKey(this.#origin, jwk))}\n`)
  }

  /** Of all entries, also those that wait. */
  get size(): number {
    return this.#size
  }

  append(bodies: readonly EntryBody[], named: readonly LogObject[] = []): number {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#closed) throw new CodedError('internal.fault', 'the evidence log is closed')
    this.#expectRoom(bodies)
    const time = Math.max(this.#options.now(), this.#time)
    // All are encoded before the first is appended: a refused one leaves the log as it was.
    const entries = bodies.map((body) => EntryFormat.encode({ ...body, v: 1, time }))
    const first = this.#size
    this.#time = time
    this.#size += entries.length
    this.#pending.push(...entries)
    for (const { byteLength } of entries) this.#pendingBytes += byteLength
    for (const object of named) this.#name(object)
    for (const body of bodies) this.#releases.append(body)
    return first
  }

  /** What an earlier entry named is stored before that entry's checkpoint, and so before any later one. */
  #name(object: LogObject): void {
    if (this.#named.has(object.name)) return
    if (this.#named.size >= MAX_NAMED) this.#named.clear()
    this.#named.add(object.name)
    this.#beside.push(object)
    this.#pendingBytes += object.bytes.byteLength
  }

  #expectRoom(bodies: readonly EntryBody[]): void {
    const places = bodies.reduce((sum, body) => sum + this.#releases.placesOf(body), 0)
    if (places === 0) return
    const taken = this.#pending.length + this.#releases.size
    if (taken + places > MAX_PENDING || this.#pendingBytes >= MAX_PENDING_BYTES)
      throw new CodedError('evidence.unavailable', `${this.#pending.length} entries wait to be written`)
  }

  async flush(signal?: AbortSignal): Promise<SealedLog> {
    const wanted = this.#size
    for (;;) {
      signal?.throwIfAborted()
      if (this.#fault !== undefined) throw this.#fault
      if (this.#sealed !== undefined && this.#sealed.size >= wanted) return this.#sealed
      this.#running ??= this.#store().finally(() => {
        this.#running = undefined
      })
      await abandonable(this.#running, signal)
    }
  }

  async close(reason: 'drained' | 'stopped'): Promise<SealedLog> {
    if (!this.#closed) {
      if (this.#releases.size > 0)
        throw new CodedError('evidence.unavailable', `${this.#releases.size} releases have no end yet`)
      this.append([{ event: 'log.closed', reason }])
      this.#closed = true
    }
    return await this.flush()
  }

  async #store(): Promise<void> {
    this.#commit ??= this.#prepare()
    const { stages, checkpoint, releases, sealed } = this.#commit
    for (const stage of stages) await this.#createAll(stage)
    this.#expectInTime(releases)
    await this.#createAll([checkpoint])
    this.#releases.stored(releases)
    this.#sealed = sealed
    this.#commit = undefined
  }

  #prepare(): Commit {
    const first = this.#log.size === 0
    const { size, root, bundles, hashTiles } = this.#log.grow(this.#pending)
    const beside = this.#beside
    this.#pending = []
    this.#beside = []
    this.#pendingBytes = 0
    const checkpoint = signCheckpoint({ origin: this.#origin, size, root }, this.#options.key)
    const own = (object: LogObject) => ({ ...object, name: `${this.#options.boot}/${object.name}` })
    const key = first ? [own({ name: 'key', bytes: this.#vkey })] : []
    return {
      stages: [key, [...beside, ...bundles.map(own)], hashTiles.map(own)],
      checkpoint: own({ name: checkpointName(size), bytes: utf8(checkpoint) }),
      releases: this.#releases.take(),
      sealed: { checkpoint, size },
    }
  }

  #expectInTime(releases: ReleaseChanges): void {
    try {
      this.#releases.expectInTime(releases)
    } catch (error) {
      throw this.#toFault(error)
    }
  }

  /**
   * Waits for every write of a stage, failed or not: none may be in flight when the commit is tried again.
   */
  async #createAll(objects: readonly LogObject[]): Promise<void> {
    const results = await Promise.allSettled(objects.map((object) => this.#create(object)))
    for (const result of results) if (result.status === 'rejected') throw this.#toFault(result.reason)
  }

  async #create({ name, bytes }: LogObject): Promise<void> {
    const { store, bucket } = this.#options
    const object = { ...bucket, name }
    if ((await createOnce(store, object, bytes)) === 'foreign')
      throw new CodedError('evidence.conflict', `${object.name} exists with other bytes`)
  }

  #toFault(cause: unknown): CodedError {
    const code = codeOf(cause)
    if (endsLog(code) && cause instanceof CodedError) this.#fault = cause
    else if (errorRow(code).disposition !== 'stop' || !(cause instanceof CodedError))
      return new CodedError('evidence.unavailable', `the log of ${this.#options.boot} cannot be written`, {
        cause,
      })
    return cause
  }
}
