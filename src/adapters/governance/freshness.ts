/**
 * States what is in force, again and again, by a key of its own (core/policy/freshness.ts). It reads the
 * bucket as a Verifier does, and never states less than it did before.
 *
 * Crash argument. What is stated is written to a file before it is published. After a crash in between, the
 * file is ahead of the bucket, and the next statement is not lower than either.
 */
import { readIfPresent, replaceFile } from '#adapters/system/files.ts'
import { fromUtf8, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { thumbprint } from '#core/jwk.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import {
  beforeFreshness,
  behind,
  FRESHNESS_FOLDER,
  type Freshness,
  FreshnessFormat,
  freshnessName,
  isFreshnessName,
  readFreshness,
  statementOf,
} from '#core/policy/freshness.ts'
import { type Governance, governanceInForce, type Ignored, type Pin } from '#core/policy/inForce.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

export type FreshnessOptions = {
  readonly store: ObjectStore
  readonly governance: ObjectReader
  /** The bucket of statements. */
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly pin: Pin
  readonly signer: Signer
  /** The file with the last statement. */
  readonly state: string
  readonly clock: Pick<Clock, 'now'>
  /** An object of the governance bucket does not count. Called once for each. */
  readonly ignored: (object: Ignored) => void
  /** Throws `clock.skewed`. Asked when the services have answered, and before anything is signed. */
  readonly expectTrueClock: () => void
}

export type Stated = { readonly name: string; readonly statement: Freshness }

export type FreshnessSigner = {
  /** The last statement: of this process or, before its first, of the file. */
  readonly last: () => Freshness | undefined
  /**
   * Reads the bucket and publishes a statement if `isDue`. Undefined if it is not, or if this minute has its
   * statement. Throws `policy.none` if nothing is in force or it names another freshness key, `policy.stale` if
   * the bucket shows less than was stated, `clock.skewed`, and the codes of store and file.
   */
  readonly state: (
    isDue: (last: Freshness | undefined, next: Freshness) => boolean,
    signal?: AbortSignal,
  ) => Promise<Stated | undefined>
}

export async function createFreshnessSigner(options: FreshnessOptions): Promise<FreshnessSigner> {
  const { governance, pin, signer, clock, ignored } = options
  const documents = new GovernanceBucket(governance, pin.root)
  const reported = new Set<string>()
  let last = await readState(options.state)
  return {
    last: () => last,
    state: async (isDue, signal) => {
      await documents.refresh(signal)
      options.expectTrueClock()
      const now = clock.now()
      const inForce = governanceInForce(documents.candidates, pin, now)
      for (const object of [...documents.junk, ...inForce.ignored])
        if (!reported.has(object.name)) {
          reported.add(object.name)
          ignored(object)
        }
      const next = statementOf(inForce, pin.deployment, now)
      expectOwnKey(inForce, signer)
      for (const before of [last, await newestStatement(options, now, signal)])
        expectNotBehind(inForce, before)
      if (!isDue(last, next) || (last !== undefined && freshnessName(last.iat) === freshnessName(next.iat)))
        return undefined
      const stated = await publish(next, options, signal)
      if (stated !== undefined) last = next
      return stated
    },
  }
}

/** True if the two name the same documents. */
export function statesTheSame(a: Freshness, b: Freshness): boolean {
  const named = ({ policy, verifierKeys, revocation, consent }: Freshness) =>
    JSON.stringify([policy, verifierKeys, revocation, Object.entries(consent).sort()])
  return named(a) === named(b)
}

function expectOwnKey({ verifierKeys }: Governance, { jwk }: Signer): void {
  const named = verifierKeys?.document?.content?.freshnessKey
  if (named === undefined || thumbprint(named) !== thumbprint(jwk))
    throw new CodedError('policy.none', `verifier keys ${verifierKeys?.seq} name another freshness key`)
}

function expectNotBehind(inForce: Governance, before: Freshness | undefined): void {
  const missing = before && behind(inForce, before)
  if (missing !== undefined)
    throw new CodedError(
      'policy.stale',
      `the bucket does not show ${missing}, which a freshness statement has named`,
    )
}

async function publish(
  statement: Freshness,
  { store, bucket, signer, state }: FreshnessOptions,
  signal: AbortSignal | undefined,
): Promise<Stated | undefined> {
  const name = freshnessName(statement.iat)
  const bytes = utf8(await signCompact(FreshnessFormat, statement, signer))
  await replaceFile(state, FreshnessFormat.encode(statement))
  // Another process of this signer may have been faster: then this minute has its statement.
  return (await createOnce(store, { ...bucket, name }, bytes, signal)) === 'ours'
    ? { name, statement }
    : undefined
}

async function readState(path: string): Promise<Freshness | undefined> {
  const bytes = await readIfPresent(path, FreshnessFormat.maxBytes, 'config.invalid')
  return bytes === undefined ? undefined : FreshnessFormat.decode(bytes)
}

/** If the file was lost, the bucket still says what was stated in the last quarter of an hour. */
async function newestStatement(
  { store, bucket, signer, pin }: FreshnessOptions,
  now: UnixSeconds,
  signal: AbortSignal | undefined,
): Promise<Freshness | undefined> {
  const listed = await Array.fromAsync(store.list(bucket, FRESHNESS_FOLDER, beforeFreshness(now), signal))
  for (const { name } of listed.toReversed().filter((object) => isFreshnessName(object.name))) {
    try {
      const bytes = await store.readAll({ ...bucket, name }, FreshnessFormat.maxBytes * 2, signal)
      return readFreshness(fromUtf8(bytes, name), signer.jwk, pin.deployment)
    } catch (error) {
      if (!['policy.stale', 'encoding.invalid', 'service.failed'].includes(codeOf(error))) throw error
    }
  }
  return undefined
}
