/**
 * The policy, keys and revocations in force, read from the governance bucket every few seconds. Once a number
 * is loaded, a lower one never comes into force. After 30 seconds without a confirming listing, nothing is
 * released.
 */
import { CodedError, codeOf } from '#core/errors.ts'
import type { SigningJwk } from '#core/jwk.ts'
import type { QuorumRoot } from '#core/jws.ts'
import { isInForce, type LoadedPolicy, readPolicy } from '#core/policy/loadedPolicy.ts'
import type { LoadingVerifier } from '#core/policy/policyCheck.ts'
import { type Revocation, readRevocation } from '#core/policy/revocation.ts'
import { type LoadedKeys, readVerifierKeys } from '#core/policy/verifierKeys.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const STALE_AFTER_MILLISECONDS = 30_000
const MAX_POLICY_BYTES = 2 * 1024 * 1024
const MAX_REVOCATION_BYTES = 6 * 1024 * 1024
const MAX_KEYS_BYTES = 8 * 1024

export type InForce = {
  readonly loaded: LoadedPolicy
  readonly revocation: Revocation
  readonly keys: LoadedKeys
}

export type PolicyStore = {
  /** Throws `policy.none` or `policy.stale`. */
  readonly inForce: () => InForce
  /** Lists the bucket once. If the store throws, the last confirmation still counts. */
  readonly refresh: (signal?: AbortSignal) => Promise<void>
  /** Since the last confirming listing; infinite before the first. */
  readonly ageSeconds: () => number
}

export type PolicyEvents = {
  /** A policy or a revocation list came into force. */
  readonly loaded: (loaded: LoadedPolicy, revocation: Revocation) => void
  /** An object of the governance bucket does not verify: a writer of the bucket made a mistake or attacks. */
  readonly rejected: (name: string, error: CodedError) => void
}

const NOTHING_REVOKED: Omit<Revocation, 'seq'> & { seq: 0 } = {
  v: 1,
  seq: 0,
  issuedAt: 0,
  referenceValues: [],
  objects: [],
  boots: [],
  permissions: [],
}

export function createPolicyStore(options: {
  readonly store: ObjectStore
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly root: QuorumRoot
  readonly verifier: LoadingVerifier
  readonly grantCa: { readonly keyId: string; readonly jwk: SigningJwk }
  readonly clock: Clock
  readonly events: PolicyEvents
}): PolicyStore {
  const { root, verifier, grantCa, clock, events } = options
  let confirmedAt: number | undefined
  let revocation: Revocation = NOTHING_REVOKED
  let announced: { readonly newest: LoadedPolicy; readonly revocation: Revocation } | undefined

  const policies = new Series(options, 'policy/', MAX_POLICY_BYTES, (bytes, name) => {
    const loaded = readPolicy(bytes, name, root, verifier)
    return loaded.policy.issuedAt <= clock.now() ? loaded : undefined
  })
  const keys = new Series(options, 'verifier-keys/', MAX_KEYS_BYTES, (bytes, name) =>
    readVerifierKeys(bytes, name, root, grantCa),
  )
  // In order and one by one: whether one signer suffices for a list depends on the list before it.
  const revocations = new Series(options, 'revocation/', MAX_REVOCATION_BYTES, (bytes, name) => {
    revocation = readRevocation(bytes, name, root, revocation)
    return revocation
  })

  const inForce = (): InForce => {
    if (confirmedAt === undefined) throw new CodedError('policy.none', 'no policy has been read yet')
    if (clock.monotonic() - confirmedAt > STALE_AFTER_MILLISECONDS)
      throw new CodedError('policy.stale', 'the governance bucket was last listed more than 30 seconds ago')
    const loaded = policies.newest
    if (loaded === undefined || !isInForce(loaded.policy, clock.now()))
      throw new CodedError('policy.none', 'the governance bucket contains no policy in force')
    if (keys.newest === undefined || keys.newest.verifierKeys.exp <= clock.now())
      throw new CodedError('policy.none', 'the governance bucket contains no verifier keys in force')
    return { loaded, revocation, keys: keys.newest }
  }

  const refresh = async (signal?: AbortSignal): Promise<void> => {
    const startedAt = clock.monotonic()
    await keys.refresh(signal)
    await revocations.refresh(signal)
    await policies.refresh(signal)
    // A listing may show the bucket as it was at its start, so its age counts from there.
    confirmedAt = startedAt
    announce()
  }
  /** If the log is full, the event throws and is repeated after the next listing. */
  const announce = (): void => {
    const { newest } = policies
    if (newest === undefined || (newest === announced?.newest && revocation === announced.revocation)) return
    events.loaded(newest, revocation)
    announced = { newest, revocation }
  }
  const ageSeconds = () =>
    confirmedAt === undefined ? Number.POSITIVE_INFINITY : (clock.monotonic() - confirmedAt) / 1000
  return { inForce, refresh, ageSeconds }
}

/** Create-once objects `<prefix><number>`, read in ascending order. The last valid one counts. */
class Series<T> {
  readonly #options: Pick<Parameters<typeof createPolicyStore>[0], 'store' | 'bucket' | 'events'>
  readonly #prefix: string
  readonly #maxBytes: number
  /** Throws `policy.invalid`. Undefined if the object becomes valid later. */
  readonly #read: (bytes: Buffer, name: string) => T | undefined
  // Invalid objects after #newestName. An object is never rewritten, so it stays invalid.
  readonly #rejected = new Set<string>()
  #newestName: string | undefined
  #newest: T | undefined

  constructor(
    options: Pick<Parameters<typeof createPolicyStore>[0], 'store' | 'bucket' | 'events'>,
    prefix: string,
    maxBytes: number,
    read: (bytes: Buffer, name: string) => T | undefined,
  ) {
    this.#options = options
    this.#prefix = prefix
    this.#maxBytes = maxBytes
    this.#read = read
  }

  get newest(): T | undefined {
    return this.#newest
  }

  async refresh(signal: AbortSignal | undefined): Promise<void> {
    const { store, bucket, events } = this.#options
    for await (const { name, size } of store.list(bucket, this.#prefix, this.#newestName, signal)) {
      if (this.#rejected.has(name)) continue
      try {
        if (size > this.#maxBytes)
          throw new CodedError('policy.invalid', `${name} has ${size} bytes, the limit is ${this.#maxBytes}`)
        const read = this.#read(await store.readAll({ ...bucket, name }, this.#maxBytes, signal), name)
        if (read === undefined) continue
        this.#newest = read
        this.#newestName = name
        this.#rejected.clear()
      } catch (error) {
        if (codeOf(error) !== 'policy.invalid' || !(error instanceof CodedError)) throw error
        this.#rejected.add(name)
        events.rejected(name, error)
      }
    }
  }
}
