/**
 * The boots of all replicas that may have left a release without an end, as empty objects in the Verifiers'
 * own bucket. They are hints, not evidence: without them an unended release is not told, nothing more.
 *
 * - `boots/<date>/<boot>/<seconds>`: written before a boot's first decision of a day, with its deadline.
 * - `settled/<date>/<boot>`: written when there is nothing more to tell about the boot.
 *
 * Names begin with a date, so that a starting replica lists the last month and not all boots there ever were.
 */
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const DAY_SECONDS = 86_400
/** Older boots are not looked at any more. */
const LISTED_DAYS = 31
/** A living boot that decides anything announces itself every day; its clock may be behind. */
const LIVING_DAYS = 2

const ANNOUNCED = /^boots\/(\d{4}-\d\d-\d\d)\/([a-z2-7]{26})\/([0-9]{1,4})$/
const SETTLED = /^settled\/\d{4}-\d\d-\d\d\/([a-z2-7]{26})$/

export type AnnouncedBoot = {
  readonly boot: string
  /** The deadline of its requests. */
  readonly requestSeconds: number
  /** Announced so recently that it may still run. */
  readonly mayLive: boolean
}

export type Announcements = {
  /** Resolves when this boot is announced for today. */
  readonly announce: () => Promise<void>
  /** The other boots of the last month that no one has settled. */
  readonly unsettled: (signal: AbortSignal) => Promise<readonly AnnouncedBoot[]>
  readonly settle: (boot: string, signal: AbortSignal) => Promise<void>
  /** The other boots that were announced on the last day on which any was, whatever the time is here. */
  readonly newest: (signal?: AbortSignal) => Promise<readonly string[]>
}

export function createAnnouncements(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  own: { readonly boot: string; readonly requestSeconds: number },
  clock: Pick<Clock, 'now'>,
): Announcements {
  const dateOf = (daysAgo: number) =>
    toRfc3339(toUnixSeconds(Math.max(0, clock.now() - daysAgo * DAY_SECONDS))).slice(0, 10)
  const create = async (name: string, signal?: AbortSignal) => {
    await createIfAbsent(store, { ...bucket, name }, new Uint8Array(), signal)
  }
  let today: { readonly date: string; readonly done: Promise<void> } | undefined

  return {
    announce: async () => {
      const date = dateOf(0)
      if (today?.date !== date) {
        const announced = { date, done: create(`boots/${date}/${own.boot}/${own.requestSeconds}`) }
        today = announced
        // A failure is not remembered: the next request announces again.
        announced.done.catch(() => {
          if (today === announced) today = undefined
        })
      }
      await today.done
    },
    unsettled: async (signal) => {
      const boots = new Map<string, AnnouncedBoot>()
      const first = dateOf(LISTED_DAYS)
      const living = dateOf(LIVING_DAYS)
      for await (const { name } of store.list(bucket, 'boots/', `boots/${first}`, signal)) {
        const [, date = '', boot = '', seconds] = ANNOUNCED.exec(name) ?? []
        if (boot !== '' && boot !== own.boot)
          boots.set(boot, { boot, requestSeconds: Number(seconds), mayLive: date >= living })
      }
      for await (const { name } of store.list(bucket, 'settled/', `settled/${first}`, signal))
        boots.delete(SETTLED.exec(name)?.[1] ?? '')
      return [...boots.values()]
    },
    newest: async (signal) => {
      let last = ''
      const boots = new Set<string>()
      for await (const { name } of store.list(bucket, 'boots/', undefined, signal)) {
        const [, date = '', boot = ''] = ANNOUNCED.exec(name) ?? []
        // Names are listed in order.
        if (date > last) boots.clear()
        if (boot !== '' && boot !== own.boot) boots.add(boot)
        if (date !== '') last = date
      }
      return [...boots]
    },
    settle: async (boot, signal) => create(`settled/${dateOf(0)}/${boot}`, signal),
  }
}
