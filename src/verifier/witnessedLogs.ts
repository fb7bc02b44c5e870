/**
 * What Verifiers have cosigned of each worker's log. A checkpoint is cosigned if its entries and tiles are
 * stored and continue what was cosigned before; each step is one create-once object
 * (core/evidence/witness/witnessed.ts), so that replicas and restarts agree.
 *
 * Crash argument. The object is stored before the cosignature leaves. A worker that got no answer asks again,
 * also another replica, and gets the stored note.
 */
import { lastNumber } from '#adapters/evidence/lastNumber.ts'
import type { Registration } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { GrowingTree } from '#core/evidence/growth.ts'
import {
  openWitnessed,
  ownNote,
  parseWitnessedName,
  WITNESSED,
  witnessedName,
} from '#core/evidence/witness/witnessed.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { Grown, LogReader } from './logReader.ts'

/** A log of which more is to be remembered is read again: its edge has at most 255 hashes per level. */
const MAX_KNOWN = 1024
const MAX_NOTE_BYTES = 16_384

export type CosignedLog = {
  /** The cosigned checkpoint. */
  readonly note: string
  readonly size: number
  /** Throws `checkpoint.unreadable` or `checkpoint.forked`. */
  readonly entryAt: (index: number, signal: AbortSignal) => Promise<Buffer>
}

export type WitnessedLogs = {
  /**
   * Throws `checkpoint.unsigned`, `checkpoint.behind`, `checkpoint.forked`, `checkpoint.unreadable`, and the
   * store's codes.
   */
  readonly cosign: (owner: Registration, note: string, signal: AbortSignal) => Promise<CosignedLog>
}

/** What is known of one log: `note` is cosigned, undefined before the first. */
type Known = { readonly log: GrowingTree; readonly note: string | undefined }
/** What a step has read of it. */
type Step = Known & { readonly entries: Grown['entries'] }

const NOTHING: Grown['entries'] = { from: 0, all: [] }
const NEW: Known = { log: new GrowingTree(), note: undefined }

export function createWitnessedLogs(options: {
  readonly store: ObjectStore
  /** The Verifiers' own, where what was cosigned is kept. */
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly reader: LogReader
  /** Adds this boot's cosignature. */
  readonly cosign: (note: string) => string
}): WitnessedLogs {
  const { store, bucket, reader, cosign } = options
  const known = new Map<string, Known>()
  const running = new Map<string, Promise<unknown>>()

  const load = async (owner: Registration, signal: AbortSignal): Promise<Known> => {
    const { boot } = owner
    const last = await lastNumber(async (number, limit) => {
      const numbers: number[] = []
      const after = number < 0 ? undefined : witnessedName(boot, number)
      for await (const { name } of store.list(bucket, `${WITNESSED}${boot}/`, after, signal)) {
        const found = parseWitnessedName(name)
        if (found !== undefined && numbers.push(found.before) === limit) break
      }
      return numbers
    }, -1)
    return last < 0 ? NEW : await follow(owner, NEW, last, signal)
  }

  /** The step that another replica stored behind `before`. */
  const follow = async (
    owner: Registration,
    state: Known,
    before: number,
    signal: AbortSignal,
  ): Promise<Known> => {
    const { boot } = owner
    const name = witnessedName(boot, before)
    const bytes = await store.readAll({ ...bucket, name }, MAX_NOTE_BYTES, signal)
    const { note, checkpoint } = under('service.failed', () => openWitnessed(bytes, before, owner))
    const { size, root } = checkpoint
    const log =
      state.log.size === before
        ? (await reader.grow(boot, state.log, size, signal)).log
        : await reader.open(boot, size, signal)
    if (!log.root.equals(root))
      throw new CodedError('checkpoint.forked', `${boot} has other entries at ${size} than were cosigned`)
    return { log, note }
  }

  const advance = async (
    owner: Registration,
    submitted: ReturnType<typeof ownNote>,
    signal: AbortSignal,
  ): Promise<Step> => {
    const { boot } = owner
    const { size, root } = submitted.checkpoint
    for (;;) {
      const state = known.get(boot) ?? (await load(owner, signal))
      remember(boot, state)
      if (size < state.log.size || size === 0)
        throw new CodedError('checkpoint.behind', `${boot} is cosigned up to ${state.log.size}, not ${size}`)
      if (size === state.log.size) {
        if (!state.log.root.equals(root))
          throw new CodedError('checkpoint.forked', `${boot} has another checkpoint of size ${size}`)
        return { ...state, entries: NOTHING }
      }
      const { log, entries } = await reader.grow(boot, state.log, size, signal)
      if (!log.root.equals(root))
        throw new CodedError('checkpoint.forked', `${boot} has other entries at ${size} than its checkpoint`)
      const note = cosign(submitted.note)
      const before = state.log.size
      const object = { ...bucket, name: witnessedName(boot, before) }
      if (await createIfAbsent(store, object, utf8(note), signal)) {
        remember(boot, { log, note })
        return { log, note, entries }
      }
      // Another replica was first, or our own create whose answer was lost.
      remember(boot, await follow(owner, state, before, signal))
    }
  }

  const remember = (boot: string, state: Known): void => {
    if (known.size >= MAX_KNOWN && !known.has(boot)) known.clear()
    known.set(boot, state)
  }

  return {
    cosign: async (owner, note, signal) => {
      const submitted = under('checkpoint.unsigned', () => ownNote(note, owner))
      const { boot } = owner
      // One step of a log at a time: two would meet at its next object.
      const turn = (running.get(boot) ?? Promise.resolve())
        .catch(() => {})
        .then(() => advance(owner, submitted, signal))
      running.set(boot, turn)
      try {
        const { log, note: cosigned = '', entries } = await turn
        return {
          note: cosigned,
          size: log.size,
          entryAt: async (index, aborted) =>
            entries.all[index - entries.from] ?? (await reader.entryAt(boot, log, index, aborted)),
        }
      } finally {
        if (running.get(boot) === turn) running.delete(boot)
      }
    },
  }
}
