/**
 * The policy, keys and revocations in force, read from the governance bucket every few seconds. What was read
 * once is never forgotten, so a lower number never comes back into force. After 30 seconds without a
 * confirming listing, nothing is released; nor below what a freshness statement names, nor without one.
 */
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import type { SigningJwk } from '#core/jwk.ts'
import type { GeneralJws, QuorumRoot } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import type { ConsentUnion } from '#core/policy/consentUnion.ts'
import type { Deployment } from '#core/policy/envelope.ts'
import { behind } from '#core/policy/freshness.ts'
import { type Governance, governanceInForce, type Ignored, type Latest } from '#core/policy/inForce.ts'
import { isInForce, type LoadedPolicy, loadPolicy } from '#core/policy/loadedPolicy.ts'
import type { LoadingVerifier } from '#core/policy/policyCheck.ts'
import type { RevocationUnion } from '#core/policy/revocationUnion.ts'
import { certifies, earlierKeys, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { SignedFreshness, Statements } from './statements.ts'

const STALE_AFTER_MILLISECONDS = 30_000
/** Digests of lists that fit into one entry of evidence. */
const ANNOUNCED_AT_ONCE = 1000

/** Verifier keys in force, and those before them of other grant CAs. The workers get them as signed. */
type LoadedKeys = {
  readonly verifierKeys: VerifierKeys
  readonly signed: GeneralJws
  readonly earlier: readonly GeneralJws[]
}

export type InForce = {
  readonly loaded: LoadedPolicy
  readonly revocation: RevocationUnion
  /** Of the datasets whose lists the newest statement names: others may be hidden. */
  readonly consent: ReadonlyMap<string, ConsentUnion>
  readonly keys: LoadedKeys
  /** The newest statement, as signed: all of the above is what it names, or later. */
  readonly freshness: string
}

export type PolicyStore = {
  /** Throws `policy.none`, `policy.stale`, or `clock.skewed` if a statement shows that this clock is behind. */
  readonly inForce: () => InForce
  /**
   * Reads the statements and lists the bucket, once more if it shows less than they name. If the store throws,
   * the last confirmation still counts.
   */
  readonly refresh: (signal?: AbortSignal) => Promise<void>
  /** Since the last confirming listing; infinite before the first. */
  readonly ageSeconds: () => number
  /** Until the newest freshness statement ends, negative afterwards; 0 if there is none. */
  readonly freshSeconds: () => number
  /** How many objects of the bucket are junk, or do not count. */
  readonly ignored: () => number
}

export type PolicyEvents = {
  /**
   * A policy or revocation lists came into force: the digests of lists that are new since the last event, and
   * how many are known with them.
   */
  readonly loaded: (loaded: LoadedPolicy, revocations: readonly string[], revocationSeq: number) => void
  /** An object of the governance bucket does not count: one of its writers made a mistake or attacks. */
  readonly ignored: (object: Ignored) => void
}

export function createPolicyStore(options: {
  readonly store: ObjectStore
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly root: QuorumRoot
  readonly deployment: Deployment
  readonly verifier: LoadingVerifier
  readonly grantCa: { readonly keyId: string; readonly jwk: SigningJwk }
  readonly statements: Statements
  readonly clock: Clock
  readonly events: PolicyEvents
}): PolicyStore {
  const { root, deployment, verifier, grantCa, statements, clock, events } = options
  const bucket = new GovernanceBucket(readerOf(options), root)
  const reported = new Set<string>()
  let confirmedAt: number | undefined
  let governance: Governance | undefined
  let loaded: Loaded<LoadedPolicy> = NOTHING
  let keys: Loaded<LoadedKeys> = NOTHING
  let stated: Stated = { problem: 'no freshness statement has been read yet' }
  let announced: { readonly digest: string; readonly revocations: ReadonlySet<string> } | undefined

  const inForce = (): InForce => {
    if (confirmedAt === undefined || governance === undefined)
      throw new CodedError('policy.none', 'no policy has been read yet')
    if (clock.monotonic() - confirmedAt > STALE_AFTER_MILLISECONDS)
      throw new CodedError('policy.stale', 'the governance bucket was last listed more than 30 seconds ago')
    const { revocation, consent } = governance
    // What the limit leaves out may revoke anything, and the signer chooses by the numbers what that is.
    if (revocation.excess.length > 0)
      throw new CodedError('policy.none', `${revocation.excess.length} revocation lists are over the limit`)
    if (loaded.is === undefined) throw new CodedError('policy.none', loaded.problem)
    if (!isInForce(loaded.is.policy, clock.now()))
      throw new CodedError('policy.none', `policy ${loaded.is.policy.seq} has ended`)
    if (keys.is === undefined) throw new CodedError('policy.none', keys.problem)
    if (keys.is.verifierKeys.exp <= clock.now())
      throw new CodedError('policy.none', `verifier keys ${keys.is.verifierKeys.seq} have ended`)
    if (stated.problem !== undefined) throw new CodedError(stated.code ?? 'policy.stale', stated.problem)
    const { exp, consent: named } = stated.statement
    if (exp <= clock.now())
      throw new CodedError(
        'policy.stale',
        `the newest freshness statement ended at ${toRfc3339(toUnixSeconds(exp))}`,
      )
    const known = new Map([...consent].filter(([dataset]) => Object.hasOwn(named, dataset)))
    return { loaded: loaded.is, revocation, consent: known, keys: keys.is, freshness: stated.jws }
  }

  const refresh = async (signal?: AbortSignal): Promise<void> => {
    await statements.refresh(signal)
    const shown = await list(signal)
    // Something may have been published since: only what is hidden twice is refused.
    if (shown.problem === undefined) stated = shown
    else stated = await list(signal)
    announce()
  }
  /** Returns what the statements say of this listing. */
  const list = async (signal: AbortSignal | undefined): Promise<Stated> => {
    const startedAt = clock.monotonic()
    await bucket.refresh(signal)
    const next = governanceInForce(bucket.candidates, { root, deployment }, clock.now())
    loaded = load('policy', next.policy, loaded, (document) => loadPolicy(document, verifier))
    keys = load('verifier keys', next.verifierKeys, keys, ({ name, content, signed }) => {
      if (content === undefined) throw new CodedError('policy.invalid', `${name} does not match the schema`)
      if (!certifies(content, grantCa))
        throw new CodedError('policy.invalid', `${name} certifies another grant CA than this Verifier's`)
      return {
        verifierKeys: content,
        signed,
        earlier: earlierKeys(bucket.verifierKeys.documents, content, root),
      }
    })
    governance = next
    // A listing may show the bucket as it was at its start, so its age counts from there.
    confirmedAt = startedAt
    report([...bucket.junk, ...next.ignored, ...loaded.ignored, ...keys.ignored])
    return keys.is === undefined ? stated : statedOf(next, keys.is, statements)
  }
  const report = (objects: readonly Ignored[]): void => {
    for (const object of objects) {
      if (reported.has(object.name)) continue
      events.ignored(object)
      reported.add(object.name)
    }
  }
  /** If the log is full, the event throws and is repeated after the next listing. */
  const announce = (): void => {
    if (loaded.is === undefined || governance === undefined) return
    const { digest } = loaded.is
    const known = new Set(announced?.revocations)
    const digests = governance.revocation.lists.map((list) => list.digest)
    const added = digests.filter((list) => !known.has(list)).sort()
    if (announced?.digest === digest && added.length === 0) return
    for (const chunk of chunksOf(added, ANNOUNCED_AT_ONCE)) {
      for (const list of chunk) known.add(list)
      events.loaded(loaded.is, chunk, known.size)
      announced = { digest, revocations: new Set(known) }
    }
  }
  const ageSeconds = () =>
    confirmedAt === undefined ? Number.POSITIVE_INFINITY : (clock.monotonic() - confirmedAt) / 1000
  const freshSeconds = () => (stated.statement === undefined ? 0 : stated.statement.exp - clock.now())
  return { inForce, refresh, ageSeconds, freshSeconds, ignored: () => reported.size }
}

/** The newest statement; or why nothing may be released, with it if it names more than was loaded. */
type Stated =
  | (SignedFreshness & { readonly problem?: undefined })
  | (Partial<SignedFreshness> & { readonly problem: string; readonly code?: ErrorCode })

function statedOf(governance: Governance, { verifierKeys }: LoadedKeys, { newest }: Statements): Stated {
  try {
    const signed = newest(verifierKeys.freshnessKey)
    const missing = behind(governance, signed.statement)
    if (missing === undefined) return signed
    return { ...signed, problem: `the governance bucket does not show ${missing}, which a statement names` }
  } catch (error) {
    if (!(error instanceof CodedError) || !['policy.stale', 'clock.skewed'].includes(error.code)) throw error
    return { problem: error.message, code: error.code }
  }
}

/** At least one chunk. */
function chunksOf<T>(values: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.max(1, Math.ceil(values.length / size))
  return Array.from({ length: count }, (_, index) => values.slice(index * size, (index + 1) * size))
}

/** The newest document as this Verifier can use it, or why it cannot. */
type Loaded<T> = {
  readonly name: string
  readonly is: T | undefined
  readonly problem: string
  readonly ignored: readonly Ignored[]
}
const NOTHING = { name: '', is: undefined, problem: '', ignored: [] }

/** A document is loaded once. */
function load<T, U>(
  what: string,
  latest: Latest<T> | undefined,
  before: Loaded<U>,
  use: (document: NonNullable<Latest<T>['document']>) => U,
): Loaded<U> {
  if (latest === undefined) return { ...NOTHING, problem: `the governance bucket contains no ${what}` }
  const { document, problem } = latest
  if (document === undefined) return { ...NOTHING, problem }
  const { name } = document
  if (before.name === name) return before
  try {
    return { name, is: use(document), problem: '', ignored: [] }
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'policy.invalid') throw error
    const reason = error.message
    return { name, is: undefined, problem: reason, ignored: [{ name, reason }] }
  }
}

/** A bucket that is absent is a fault, not an empty one: nothing confirms then what is in force. */
function readerOf({ store, bucket }: { store: ObjectStore; bucket: Omit<ObjectRef, 'name'> }): ObjectReader {
  return {
    async *list(prefix, signal) {
      for await (const { name } of store.list(bucket, prefix, undefined, signal)) yield name
    },
    read: async (name, maxBytes, signal) => {
      const object = { ...bucket, name }
      try {
        const { size } = await store.head(object, undefined, signal)
        if (size > maxBytes)
          throw new CodedError('evidence.malformed', `${name} has ${size} bytes, the limit is ${maxBytes}`)
        return await store.readAll(object, maxBytes, signal)
      } catch (error) {
        if (codeOf(error) !== 'service.missing') throw error
        return undefined
      }
    },
  }
}
