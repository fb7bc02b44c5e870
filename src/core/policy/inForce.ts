/**
 * What is in force, from everything that the governance bucket shows. A pure function of the set of
 * documents and the time: Verifier, commands and audit ask it alike, and no order or gap of numbers changes
 * its answer.
 */
import type { QuorumRoot } from '../jws.ts'
import type { UnixSeconds } from '../time.ts'
import { type Consent, consentKeysOf } from './consent.ts'
import { type ConsentUnion, uniteConsents } from './consentUnion.ts'
import { type GovernanceDocument, personsOf } from './document.ts'
import type { Deployment } from './envelope.ts'
import type { Policy } from './policy.ts'
import type { Revocation } from './revocation.ts'
import { type RevocationUnion, uniteRevocations } from './revocationUnion.ts'
import type { VerifierKeys } from './verifierKeys.ts'

/** How far a number may lie above its predecessor's. So no mistake uses the numbers up. */
const MAX_GAP = 1000

/** Every document that was found and read, in any order. */
export type Candidates = {
  readonly policies: readonly GovernanceDocument<Policy>[]
  readonly verifierKeys: readonly GovernanceDocument<VerifierKeys>[]
  readonly revocations: readonly GovernanceDocument<Revocation>[]
  readonly consents: readonly GovernanceDocument<Consent>[]
}

/** The highest number that a quorum has signed. It has ended its predecessor, whatever its content. */
export type Latest<T> = {
  readonly seq: number
  /** Undefined if it gives nothing: then none of its kind is in force. */
  readonly document: GovernanceDocument<T> | undefined
  /** Why, in that case. */
  readonly problem: string
}

export type Ignored = { readonly name: string; readonly reason: string }

export type Governance = {
  readonly policy: Latest<Policy> | undefined
  readonly verifierKeys: Latest<VerifierKeys> | undefined
  readonly revocation: RevocationUnion
  /** Of each dataset that the policy gives consent keys. */
  readonly consent: ReadonlyMap<string, ConsentUnion>
  /** Documents by signers of the root that do not count: each is a mistake or an attack. */
  readonly ignored: readonly Ignored[]
}

export type Pin = { readonly root: QuorumRoot; readonly deployment: Deployment }

const NO_ONE: ReadonlySet<string> = new Set()

export function governanceInForce(
  candidates: Candidates,
  { root, deployment }: Pin,
  now: UnixSeconds,
): Governance {
  const ignored: Ignored[] = []
  const ours = <T>(documents: readonly GovernanceDocument<T>[]) =>
    documents.filter((document) => {
      const isOurs = document.tenant === deployment.tenant && document.audience === deployment.audience
      if (!isOurs)
        ignored.push({ name: document.name, reason: `it is for ${document.tenant} at ${document.audience}` })
      return isOurs
    })
  const policies = latestPolicy(ours(candidates.policies), { root, now, ignored })
  const { excluded } = policies
  const keys = latestOf(ours(candidates.verifierKeys), { root, now, ignored })
  const revocation = uniteRevocations(ours(candidates.revocations), root, excluded)
  for (const { name } of revocation.excess)
    ignored.push({ name, reason: 'its signer has more lists, or larger ones, than one signer may have' })
  const consents = ours(candidates.consents)
  const consentKeys = consentKeysOf(candidates.policies, root)
  const consent = datasetsWithConsent(policies.latest).map((dataset): [string, ConsentUnion] => {
    const lists = consents.filter(({ content }) => content?.dataset === dataset)
    return [dataset, uniteConsents(lists, root, consentKeys.get(dataset) ?? [], excluded)]
  })
  for (const [, { unsigned }] of consent)
    for (const { name } of unsigned)
      ignored.push({ name, reason: 'neither a consent key of its dataset nor a quorum has signed it' })
  return {
    policy: policies.latest,
    verifierKeys: keys && withoutExcluded(keys, root, excluded),
    revocation,
    consent: new Map(consent),
    ignored,
  }
}

function datasetsWithConsent(policy: Latest<Policy> | undefined): readonly string[] {
  const datasets = policy?.document?.content?.datasets ?? []
  return datasets.flatMap(({ id, consent }) => (consent === null ? [] : [id]))
}

type Walk = { readonly root: QuorumRoot; readonly now: UnixSeconds; readonly ignored: Ignored[] }

/** A policy excludes signers from those above it. Those below it had their quorum in their time. */
function latestPolicy(
  documents: readonly GovernanceDocument<Policy>[],
  walk: Walk,
): { readonly latest: Latest<Policy> | undefined; readonly excluded: ReadonlySet<string> } {
  let excluded = NO_ONE
  const latest = latestOf(
    documents,
    walk,
    () => excluded,
    ({ content }) => {
      if (content !== undefined) excluded = new Set(content.excludedSigners)
    },
  )
  return { latest, excluded }
}

/** Walks the numbers upwards. A document that is not issued yet does not count yet. */
function latestOf<T>(
  documents: readonly GovernanceDocument<T>[],
  { root, now, ignored }: Walk,
  excluded = () => NO_ONE,
  took: (document: GovernanceDocument<T>) => void = () => {},
): Latest<T> | undefined {
  let latest: Latest<T> | undefined
  for (const { seq, all } of bySeq(documents.filter(({ issuedAt }) => issuedAt <= now))) {
    const ignore = (ones: readonly GovernanceDocument<T>[], reason: string) =>
      ignored.push(...ones.map(({ name }) => ({ name, reason })))
    const isQuorum = (one: GovernanceDocument<T>) => personsOf(one, excluded()) >= root.threshold
    const signed = all.filter(isQuorum)
    ignore(
      all.filter((one) => !signed.includes(one)),
      `fewer than ${root.threshold} persons have signed it`,
    )
    const [document, ...others] = signed
    if (document === undefined) continue
    if (seq > (latest?.seq ?? 0) + MAX_GAP) {
      ignore(signed, `its number is more than ${MAX_GAP} above ${latest?.seq ?? 0}`)
      continue
    }
    if (others.length > 0) {
      ignore(signed, 'a quorum has signed another document of this number')
      latest = { seq, document: undefined, problem: `a quorum has signed two documents of number ${seq}` }
      continue
    }
    latest = { seq, document, problem: '' }
    took(document)
  }
  return latest
}

function bySeq<T>(documents: readonly GovernanceDocument<T>[]) {
  const numbers = [...new Set(documents.map(({ seq }) => seq))].sort((a, b) => a - b)
  return numbers.map((seq) => ({ seq, all: documents.filter((document) => document.seq === seq) }))
}

/** It keeps its number, so that nothing below it comes back. */
function withoutExcluded<T>(
  latest: Latest<T>,
  { threshold }: QuorumRoot,
  excluded: ReadonlySet<string>,
): Latest<T> {
  if (latest.document === undefined || personsOf(latest.document, excluded) >= threshold) return latest
  return {
    ...latest,
    document: undefined,
    problem: `${latest.document.name} was signed by an excluded signer`,
  }
}
