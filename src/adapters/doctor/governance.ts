/** Rows about what the provider's signers have published: what is in force, and when it ends. */
import { CodedError } from '#core/errors.ts'
import type { QuorumRoot } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import {
  type Governance,
  governanceInForce,
  type Ignored,
  type Latest,
  type Pin,
} from '#core/policy/inForce.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { VerifierKeys } from '#core/policy/verifierKeys.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { type Check, ends, finding, good, type Outcome } from './check.ts'

export type Governed = Governance & { readonly junk: readonly Ignored[] }

/** A policy takes its signers days, and lives at most 90. */
const LEAST_DAYS = 14
const MOST_NAMED = 10

export async function readGoverned(
  reader: ObjectReader,
  pin: { readonly root: QuorumRoot } & Partial<Pin>,
  now: UnixSeconds,
): Promise<Governed> {
  const bucket = new GovernanceBucket(reader, pin.root)
  await bucket.refresh()
  const deployment = pin.deployment ?? onlyDeployment(bucket)
  return { ...governanceInForce(bucket.candidates, { root: pin.root, deployment }, now), junk: bucket.junk }
}

/** For a role whose configuration names none: an auditor's bucket has the documents of one. */
function onlyDeployment({ candidates }: GovernanceBucket): Pin['deployment'] {
  const { policies, verifierKeys } = candidates
  const [first, ...more] = [...policies, ...verifierKeys].map(({ tenant, audience }) => ({
    tenant,
    audience,
  }))
  if (first === undefined) throw new CodedError('policy.none', 'the governance bucket contains no policy')
  const other = more.find(({ tenant, audience }) => tenant !== first.tenant || audience !== first.audience)
  if (other === undefined) return first
  throw new CodedError('policy.none', `documents are for ${first.audience} and for ${other.audience}`)
}

type Context = {
  readonly clock: Pick<Clock, 'now'>
  /** Read once for all rows. */
  readonly governed: () => Promise<Governed>
}

const SIGN_NEXT = 'have the policy signers sign and publish the next one; it ends its predecessor at once'

/** `fits` throws if a policy in force does not do for this role. */
export function governanceChecks<C extends Context>(
  fits: (context: C, policy: Policy, keys: VerifierKeys) => void,
): readonly Check<C>[] {
  return [
    {
      id: 'governance.policy',
      tries: 'reads the governance bucket and verifies each document under the pin',
      expects: `one policy in force, for ${LEAST_DAYS} days or more`,
      remedy: SIGN_NEXT,
      run: async (context) => {
        const { policy } = await context.governed()
        const { seq, expiresAt } = contentOf('policy', policy)
        return ends(`policy ${seq}`, expiresAt, context.clock.now(), LEAST_DAYS)
      },
    },
    {
      id: 'governance.verifier-keys',
      tries: 'the same for the verifier keys, which certify the grant CA',
      expects: `in force for ${LEAST_DAYS} days or more`,
      remedy: SIGN_NEXT,
      run: async (context) => {
        const { verifierKeys } = await context.governed()
        const { seq, exp } = contentOf('verifier keys', verifierKeys)
        return ends(`verifier keys ${seq}`, exp, context.clock.now(), LEAST_DAYS)
      },
    },
    {
      id: 'governance.fits',
      tries: 'compares policy and verifier keys with this configuration',
      expects: 'they are for this role',
      remedy: 'correct the field that the line names, in the configuration or in the next document',
      run: async (context) => {
        const { policy, verifierKeys } = await context.governed()
        fits(context, contentOf('policy', policy), contentOf('verifier keys', verifierKeys))
        return good('they are for this configuration')
      },
    },
    windows('governance.reference-values', 'the reference values', ({ referenceValues }) => referenceValues),
    windows('governance.permissions', 'the permissions', ({ datasets }) =>
      datasets.flatMap(({ permissions }) => permissions),
    ),
    {
      id: 'governance.revocation',
      tries: 'unites the revocation lists',
      expects: 'no signer has more lists than one may have',
      remedy: 'a quorum list replaces the lists that it names; until then nothing is released',
      run: async (context) => {
        const { lists, excess } = (await context.governed()).revocation
        return excess.length > 0
          ? finding(`${excess.length} lists are over the limit`)
          : good(`${lists.length} lists count`)
      },
    },
    {
      id: 'governance.ignored',
      tries: 'looks for objects under the names of documents that do not count',
      expects: 'none',
      remedy: 'find out who wrote it: a writer of the bucket made a mistake or attacks',
      run: async (context) => {
        const { junk, ignored } = await context.governed()
        const all = [...junk, ...ignored]
        if (all.length === 0) return good('none')
        return all.slice(0, MOST_NAMED).map(({ name, reason }) => finding(`${name}: ${reason}`))
      },
    },
  ]
}

type Window = { readonly id: string; readonly notBefore: number; readonly notAfter: number }

/** Each reference set or permission with its end. */
function windows<C extends Context>(
  id: string,
  what: string,
  of: (policy: Policy) => readonly Window[],
): Check<C> {
  return {
    id,
    tries: `reads the end of ${what} of the policy`,
    expects: `${LEAST_DAYS} days or more for each`,
    remedy: SIGN_NEXT,
    run: async (context): Promise<readonly Outcome[]> => {
      const now = context.clock.now()
      const all = of(contentOf('policy', (await context.governed()).policy))
      if (all.length === 0) return [finding(`the policy has none of ${what}: nothing is released`)]
      return all.map(({ id: name, notBefore, notAfter }) =>
        notBefore > now ? finding(`${name} has not begun`) : ends(name, notAfter, now, LEAST_DAYS),
      )
    },
  }
}

/** Throws `policy.none` or `policy.invalid`. */
export function policyOf({ policy }: Pick<Governed, 'policy'>): Policy {
  return contentOf('policy', policy)
}

function contentOf<T>(what: string, latest: Latest<T> | undefined): T {
  if (latest === undefined) throw new CodedError('policy.none', `the governance bucket contains no ${what}`)
  if (latest.document === undefined) throw new CodedError('policy.none', latest.problem)
  const { name, content } = latest.document
  if (content === undefined) throw new CodedError('policy.invalid', `${name} does not match the schema`)
  return content
}
