/**
 * The freshness statements that their bucket shows. What was read once counts until its end, so hiding it
 * afterwards changes nothing.
 */
import { MAX_SKEW_SECONDS } from '#adapters/system/trueClock.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { SigningJwk } from '#core/jwk.ts'
import type { Deployment } from '#core/policy/envelope.ts'
import {
  beforeFreshness,
  FRESHNESS_FOLDER,
  type Freshness,
  FreshnessFormat,
  freshnessName,
  isFreshnessName,
  readFreshness,
} from '#core/policy/freshness.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** How many names of after this clock are read in a listing. One valid statement among them tells enough. */
const MAX_LATER = 16
/** A compact JWS is a third longer than what it signs. */
const MAX_BYTES = FreshnessFormat.maxBytes * 2

/** As read, and as signed. */
export type SignedFreshness = { readonly statement: Freshness; readonly jws: string }

export type Statements = {
  /** Lists once and reads what is new. */
  readonly refresh: (signal?: AbortSignal) => Promise<void>
  /**
   * The newest statement by this key, also one that has ended. Throws `policy.stale` if there is none, and
   * `clock.skewed` if one is more than a minute later than this clock.
   */
  readonly newest: (key: SigningJwk) => SignedFreshness
}

export function createStatements(
  store: Pick<ObjectStore, 'list' | 'head' | 'readAll'>,
  bucket: Omit<ObjectRef, 'name'>,
  deployment: Deployment,
  clock: Pick<Clock, 'now'>,
): Statements {
  /** Empty: too large to be one. */
  const read = new Map<string, Buffer>()

  const readOne = async (name: string, signal: AbortSignal | undefined): Promise<void> => {
    const object = { ...bucket, name }
    try {
      const { size } = await store.head(object, undefined, signal)
      read.set(name, size > MAX_BYTES ? Buffer.alloc(0) : await store.readAll(object, MAX_BYTES, signal))
    } catch (error) {
      // The lifecycle rule of the bucket was faster.
      if (codeOf(error) !== 'service.missing') throw error
    }
  }
  return {
    refresh: async (signal) => {
      const now = clock.now()
      const [after, last] = [beforeFreshness(now), freshnessName(now)]
      for (const name of read.keys()) if (name < after) read.delete(name)
      let later = 0
      for await (const { name } of store.list(bucket, FRESHNESS_FOLDER, after, signal)) {
        if (!isFreshnessName(name)) continue
        if (name > last && ++later > MAX_LATER) break
        if (!read.has(name)) await readOne(name, signal)
      }
    },
    newest: (key) => {
      const now = clock.now()
      let problem = ''
      for (const [name, bytes] of [...read].sort(([a], [b]) => (a < b ? 1 : -1))) {
        try {
          const jws = fromUtf8(bytes, name)
          const statement = readFreshness(jws, key, deployment)
          if (freshnessName(statement.iat) !== name)
            throw new CodedError('policy.stale', `it is of the minute ${freshnessName(statement.iat)}`)
          const ahead = statement.iat - now
          if (ahead > MAX_SKEW_SECONDS)
            throw new CodedError(
              'clock.skewed',
              `this clock is ${ahead} seconds behind a freshness statement, at most ${MAX_SKEW_SECONDS} are allowed`,
            )
          if (ahead <= 0) return { statement, jws }
        } catch (error) {
          if (!(error instanceof CodedError) || error.code === 'clock.skewed') throw error
          problem ||= `; ${name}: ${error.message}`
        }
      }
      throw new CodedError('policy.stale', `no freshness statement of the last 15 minutes${problem}`)
    },
  }
}
