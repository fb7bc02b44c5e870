/**
 * The logs that moved, by hour, as empty objects in the Verifiers' own bucket: `moved/<hour>/<role>/<boot>`.
 * They are hints for the next digest, not evidence: without them a log is in a later digest.
 */
import type { Role } from '#core/boot/boot.ts'
import type { Clock } from '#ports/clock.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const HOUR_SECONDS = 3600
const NAME = /^moved\/[0-9]{8}\/(worker|verifier)\/([a-z2-7]{26})$/

type MovedLog = { readonly role: Role; readonly boot: string }

export type MovedLogs = {
  /** Resolves when the log is marked for this hour. */
  readonly mark: (log: MovedLog, signal?: AbortSignal) => Promise<void>
  /** Those of the hours from that of `since` on, each once. */
  readonly list: (since: number, signal?: AbortSignal) => Promise<readonly MovedLog[]>
}

export function createMovedLogs(
  store: Pick<ObjectStore, 'create' | 'list'>,
  bucket: Omit<ObjectRef, 'name'>,
  clock: Pick<Clock, 'now'>,
): MovedLogs {
  let marked: { readonly hour: string; readonly logs: Set<string> } = { hour: '', logs: new Set() }
  const hourOf = (time: number) => String(Math.floor(time / HOUR_SECONDS)).padStart(8, '0')
  return {
    mark: async ({ role, boot }, signal) => {
      const hour = hourOf(clock.now())
      if (marked.hour !== hour) marked = { hour, logs: new Set() }
      const { logs } = marked
      if (logs.has(boot)) return
      const name = `moved/${hour}/${role}/${boot}`
      await createIfAbsent(store, { ...bucket, name }, new Uint8Array(), signal)
      logs.add(boot)
    },
    list: async (since, signal) => {
      const logs = new Map<string, MovedLog>()
      for await (const { name } of store.list(bucket, 'moved/', `moved/${hourOf(since)}`, signal)) {
        const [, role, boot] = NAME.exec(name) ?? []
        if (boot !== undefined && (role === 'worker' || role === 'verifier')) logs.set(boot, { role, boot })
      }
      return [...logs.values()]
    },
  }
}
