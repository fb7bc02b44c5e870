/**
 * The freshness statement v1 (the timestamp role of The Update Framework): what was in force a moment ago, by
 * a key of its own. A listing proves that an answer came, not that it is complete; this statement ends within
 * 15 minutes, so storage can hide a document no longer than that.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { audience, count, name, sequence, sha256Digest, time, version1 } from '../fields.ts'
import type { SigningJwk } from '../jwk.ts'
import { defineSigned, verifyCompact } from '../jws.ts'
import type { UnixSeconds } from '../time.ts'
import type { Deployment } from './envelope.ts'
import type { Governance, Latest } from './inForce.ts'
import { digestOfLists } from './revocationUnion.ts'

const FRESH_SECONDS = 15 * 60
/** At most 70 choices of them. */
const MAX_TIED = 8
const numbered = z.strictObject({ seq: sequence, digest: sha256Digest })

const Freshness = z
  .strictObject({
    v: version1,
    tenant: name,
    audience,
    policy: numbered,
    verifierKeys: numbered,
    /** How many revocation lists there are, and SHA-256 over their sorted digests. */
    revocation: z.strictObject({ seq: count, digest: sha256Digest }),
    /** The same of the consent lists of each dataset that has such. */
    consent: z.record(name, z.strictObject({ seq: count, digest: sha256Digest })),
    iat: time,
    exp: time,
  })
  .refine(({ iat, exp }) => iat < exp && exp <= iat + FRESH_SECONDS, 'must end within 15 minutes')
export type Freshness = z.output<typeof Freshness>

export const FreshnessFormat = defineSigned(
  'cw-freshness',
  defineFormat({ name: 'freshness statement', maxBytes: 40 * 1024, code: 'policy.stale', schema: Freshness }),
)

export const FRESHNESS_FOLDER = 'freshness/'
const NAME = /^freshness\/\d{8}$/

/** `freshness/<unix minute>`: eight digits until the year 2160. */
export function freshnessName(time: number): string {
  return `${FRESHNESS_FOLDER}${String(Math.floor(time / 60)).padStart(8, '0')}`
}

export function isFreshnessName(name: string): boolean {
  return NAME.test(name)
}

/** The name behind which every statement lies that can be in force. */
export function beforeFreshness(now: UnixSeconds): string {
  return freshnessName(now - FRESH_SECONDS - 60)
}

/**
 * A statement for this deployment by the key that the verifier keys name. Throws `policy.stale` for any
 * other, whether or not it has ended.
 */
export function readFreshness(jws: string, key: SigningJwk, deployment: Deployment): Freshness {
  const { payload } = verifyCompact(FreshnessFormat, jws, [key], 'policy.stale')
  if (payload.tenant !== deployment.tenant || payload.audience !== deployment.audience)
    throw new CodedError(
      'policy.stale',
      `the freshness statement is for ${payload.tenant} at ${payload.audience}`,
    )
  return payload
}

/** States what is in force. Throws `policy.none` if nothing is. */
export function statementOf(
  { policy, verifierKeys, revocation, consent }: Governance,
  { tenant, audience }: Deployment,
  now: UnixSeconds,
): Freshness {
  return {
    v: 1,
    tenant,
    audience,
    policy: numberOf('policy', policy),
    verifierKeys: numberOf('verifier keys', verifierKeys),
    revocation: { seq: revocation.seq, digest: revocation.digest },
    consent: Object.fromEntries([...consent].map(([dataset, { seq, digest }]) => [dataset, { seq, digest }])),
    iat: now,
    exp: now + FRESH_SECONDS,
  }
}

function numberOf<T>(what: string, latest: Latest<T> | undefined): Freshness['policy'] {
  if (latest?.document === undefined)
    throw new CodedError('policy.none', latest?.problem ?? `the governance bucket contains no ${what}`)
  return { seq: latest.seq, digest: latest.document.digest }
}

/**
 * What of a statement is missing here: undefined if everything that it names is known, or was followed by
 * something newer.
 */
export function behind(governance: Governance, stated: Freshness): string | undefined {
  const { policy, verifierKeys, revocation, consent } = governance
  if (isBelow(policy, stated.policy)) return `policy ${stated.policy.seq}`
  if (isBelow(verifierKeys, stated.verifierKeys)) return `verifier keys ${stated.verifierKeys.seq}`
  if (!containsLists(revocation, stated.revocation)) return `${stated.revocation.seq} revocation lists`
  for (const [dataset, lists] of Object.entries(stated.consent)) {
    const known = consent.get(dataset)
    // A newer policy, which the quorum signed, may have taken the lists from the dataset.
    if (known !== undefined && !containsLists(known, lists)) return `${lists.seq} consent lists of ${dataset}`
  }
  return undefined
}

function isBelow<T>(latest: Latest<T> | undefined, stated: Freshness['policy']): boolean {
  if (latest === undefined || latest.seq < stated.seq) return true
  return latest.seq === stated.seq && latest.document?.digest !== stated.digest
}

/**
 * True if the lists that the statement counts are among ours. It has only their number and digest, and lists
 * have no order: ours without the newest ones (by `issuedAt`) must give that digest. A list that one signer has
 * dated back delays this until the next statement, and lets nothing through.
 */
function containsLists(
  { lists }: Pick<Governance['revocation'], 'lists'>,
  { seq, digest }: Freshness['revocation'],
): boolean {
  if (lists.length < seq) return false
  const boundary = lists[seq - 1]?.issuedAt
  const digestsOf = (some: typeof lists) => some.map((list) => list.digest)
  const before = digestsOf(lists.filter(({ issuedAt }) => boundary !== undefined && issuedAt < boundary))
  // Which lists of the last second it counts is not said. More than a few at once wait for the next statement.
  const last = digestsOf(lists.filter(({ issuedAt }) => issuedAt === boundary))
  const guesses =
    last.length > MAX_TIED ? [last.slice(0, seq - before.length)] : choices(last, seq - before.length)
  return guesses.some((guess) => digestOfLists([...before, ...guess]) === digest)
}

/** All ways to choose so many of them. */
function choices<T>(from: readonly T[], count: number): readonly (readonly T[])[] {
  const [first, ...rest] = from
  if (count === 0) return [[]]
  if (first === undefined) return []
  return [...choices(rest, count - 1).map((more) => [first, ...more]), ...choices(rest, count)]
}
