/**
 * The policy and the revocations that each Verifier's log says were in force, from the signed documents. A
 * log names a policy by its digest, and each revocation list when it first knows it.
 */

import type { QuorumRoot } from '../../jws.ts'
import { type GovernanceDocument, personsOf } from '../../policy/document.ts'
import type { Candidates } from '../../policy/inForce.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Revocation, Revoked } from '../../policy/revocation.ts'
import { type RevocationUnion, uniteRevocations } from '../../policy/revocationUnion.ts'
import type { Findings } from './finding.ts'
import type { Logged } from './log/log.ts'
import type { PolicyReport } from './report.ts'

type Place = { readonly boot: string; readonly index: number }

const NO_ONE: ReadonlySet<string> = new Set()
/** No deployment publishes so many. A log that names more of them is not followed further. */
const MAX_LISTS = 4096

/** A union, and its names as sets: a list may have tens of thousands. */
export type Union = RevocationUnion & { readonly names: Readonly<Record<keyof Revoked, ReadonlySet<string>>> }

type Deployment = { readonly tenant: string; readonly audience: string }

export class Governed {
  readonly #root: QuorumRoot
  readonly #policies: ReadonlyMap<string, GovernanceDocument<Policy>>
  readonly #revocations: ReadonlyMap<string, GovernanceDocument<Revocation>>
  // By `<boot>/<policySeq>` and `<boot>/<revocationSeq>`, as the log has told them.
  readonly #digests = new Map<string, string>()
  readonly #known = new Map<string, readonly string[]>()
  readonly #knownOf = new Map<string, Set<string>>()
  readonly #unions = new Map<string, Union>()
  // When a log first had a document: it was public by then.
  readonly #firstLoaded = new Map<string, number>()
  readonly #firstNamed = new Map<string, number>()

  constructor({ policies, revocations }: Candidates, root: QuorumRoot) {
    this.#root = root
    const isQuorum = (document: GovernanceDocument<unknown>) => personsOf(document, NO_ONE) >= root.threshold
    this.#policies = new Map(policies.filter(isQuorum).map((document) => [document.digest, document]))
    this.#revocations = new Map(revocations.map((document) => [document.digest, document]))
  }

  /** Some log had a policy in force that is for a simulation. */
  get simulation(): boolean {
    return [...this.#policies.values()].some(({ content }) => content?.simulation === true)
  }

  /** The policies that some log had in force, by their numbers. */
  get inForce(): PolicyReport[] {
    return [...new Set(this.#digests.values())]
      .flatMap((digest) => {
        const { seq, signers, content } = this.#policies.get(digest) ?? {}
        if (seq === undefined || signers === undefined || content === undefined) return []
        return { seq, digest, signers: [...new Set(signers.map(({ person }) => person))], policy: content }
      })
      .sort((a, b) => a.seq - b.seq)
  }

  /** Takes what a log has loaded, in the order of the log. Reports what is absent or cannot be. */
  load(loaded: Logged<'policy.loaded'>, findings: Findings): void {
    const { boot, entry } = loaded
    const { policySeq, policyDigest, revocationSeq, revocations } = entry
    const find = findings.at(loaded)
    const document = this.#policies.get(policyDigest)
    if (document === undefined) findings.missing(`policy ${policySeq}`, loaded)
    else if (document.seq !== policySeq) find('policy.contradicted', `policy ${policySeq} has another digest`)
    const before = this.#digests.get(`${boot}/${policySeq}`)
    if (before !== undefined && before !== policyDigest)
      find('policy.contradicted', `policy ${policySeq} had another digest before`)
    this.#digests.set(`${boot}/${policySeq}`, policyDigest)
    if (document !== undefined && !this.#firstLoaded.has(policyDigest))
      this.#firstLoaded.set(policyDigest, entry.time)

    const known = this.#knownOf.get(boot) ?? new Set()
    this.#knownOf.set(boot, known)
    for (const digest of revocations) {
      if (!this.#revocations.has(digest)) findings.missing(`revocation list ${digest}`, loaded)
      if (known.size < MAX_LISTS) known.add(digest)
      this.#firstNamed.set(digest, Math.min(this.#firstNamed.get(digest) ?? entry.time, entry.time))
    }
    if (known.size !== revocationSeq)
      find('policy.contradicted', `it counts ${revocationSeq} revocation lists and names ${known.size}`)
    this.#known.set(`${boot}/${revocationSeq}`, [...known])
  }

  /** Undefined if it is absent, or the log has not loaded it. */
  policyOf({ boot }: Place, policySeq: number): Policy | undefined {
    return this.#policies.get(this.#digests.get(`${boot}/${policySeq}`) ?? '')?.content
  }

  /** What was revoked for this log when it knew so many lists; undefined if it never did. */
  revokedFor({ boot }: Place, policy: Policy, revocationSeq: number): Union | undefined {
    const known = revocationSeq === 0 ? [] : this.#known.get(`${boot}/${revocationSeq}`)
    if (known === undefined) return undefined
    const lists = known.flatMap((digest) => this.#revocations.get(digest) ?? [])
    return this.#unite(`${policy.seq} ${known.join()}`, lists, policy)
  }

  #unite(key: string, lists: readonly GovernanceDocument<Revocation>[], { excludedSigners }: Policy): Union {
    const united = this.#unions.get(key)
    if (united !== undefined) return united
    const union = uniteRevocations(lists, this.#root, new Set(excludedSigners))
    const { referenceValues, objects, boots, permissions } = union
    const names = {
      referenceValues: new Set(referenceValues),
      objects: new Set(objects),
      boots: new Set(boots),
      permissions: new Set(permissions),
    }
    this.#unions.set(key, { ...union, names })
    return { ...union, names }
  }

  /** All policies of a quorum for a deployment, and when a log first had each; undefined: none has so far. */
  policiesFor({ tenant, audience }: Deployment) {
    return [...this.#policies.values()]
      .filter((document) => document.tenant === tenant && document.audience === audience)
      .map(({ seq, digest, issuedAt }) => ({
        seq,
        digest,
        issuedAt,
        loadedAt: this.#firstLoaded.get(digest),
      }))
  }

  wasLoaded(policyDigest: string): boolean {
    return this.#firstLoaded.has(policyDigest)
  }

  /**
   * What is revoked by the lists that were public by `time`, whether a log knows them or not, and by those that
   * it knew, `own`: one of them may have restored a name since.
   */
  revokedAt(time: number, policy: Policy, own: RevocationUnion | undefined): Union {
    const { tenant, audience } = policy
    const known = new Set(own?.lists.map(({ digest }) => digest))
    const published = [...this.#revocations.values()].filter(
      (list) =>
        list.tenant === tenant &&
        list.audience === audience &&
        (this.#publishedAt(list) <= time || known.has(list.digest)),
    )
    // Time passes, and a list that was public stays so: their number stands for them beside the known ones.
    return this.#unite(`at ${policy.seq} ${published.length} ${own?.digest}`, published, policy)
  }

  /** One signer publishes a list at once; a quorum signs for days, so its list counts from when a log has it. */
  #publishedAt(list: GovernanceDocument<Revocation>): number {
    const isQuorum = personsOf(list, NO_ONE) >= this.#root.threshold
    return isQuorum ? (this.#firstNamed.get(list.digest) ?? Number.POSITIVE_INFINITY) : list.issuedAt
  }

  /** The sealIds of all objects that any list withdraws. */
  get withdrawn(): ReadonlySet<string> {
    return new Set([...this.#revocations.values()].flatMap(({ content }) => content?.objects ?? []))
  }

  /** The keys that may sign seal records, of all policies. */
  get sealingKeys() {
    const contents = [...this.#policies.values()].flatMap(({ content }) => content ?? [])
    return contents.flatMap(({ datasets }) => datasets.flatMap((dataset) => dataset.sealingKeys))
  }
}
