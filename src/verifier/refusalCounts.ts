/**
 * Counts requests that failed before they were authentic. The log gets one entry per code, caller and minute,
 * so a flood of requests cannot fill it.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import { toUnixSeconds, type UnixSeconds } from '#core/time.ts'

const MINUTE_SECONDS = 60
/** Callers and codes in one minute. Requests beyond it are counted without a caller. */
const MAX_SLOTS = 256
const NO_CALLER = toBase64url(Buffer.alloc(32))

type RefusedEntry = Extract<EntryBody, { event: 'requests.refused' }>

export type RefusalCounts = {
  readonly count: (code: ErrorCode, address: string, now: UnixSeconds) => void
  /** The entries of past minutes, each returned once. `all` includes the current minute. */
  readonly take: (now: UnixSeconds, all?: boolean) => readonly RefusedEntry[]
}

/**
 * An HMAC under a key of this process replaces the address: callers can be told apart within one log, but not
 * named.
 */
export function createRefusalCounts(key: Uint8Array = randomBytes(32)): RefusalCounts {
  let slots = new Map<string, RefusedEntry>()
  return {
    count: (code, address, now) => {
      const minute = toUnixSeconds(now - (now % MINUTE_SECONDS))
      const caller = createHmac('sha256', key).update(address).digest('base64url')
      const slot = [minute, code, caller].join(' ')
      const name = slots.has(slot) || slots.size < MAX_SLOTS ? slot : [minute, code].join(' ')
      const entry = slots.get(name) ?? {
        event: 'requests.refused',
        code,
        caller: name === slot ? caller : NO_CALLER,
        minute,
        count: 0,
      }
      slots.set(name, { ...entry, count: entry.count + 1 })
    },
    take: (now, all = false) => {
      const isOver = ({ minute }: RefusedEntry) => all || minute + MINUTE_SECONDS <= now
      const taken = [...slots.values()].filter(isOver)
      slots = new Map([...slots].filter(([, entry]) => !isOver(entry)))
      return taken
    },
  }
}
