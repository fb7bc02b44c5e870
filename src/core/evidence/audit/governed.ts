/**
 * The policy and the revocations that each Verifier's log says were in force, from the signed documents. A
 * log names a policy by its digest, and each revocation list when it first knows it.
 */

import type { QuorumRoot } from '../../jws.ts'
import { type GovernanceDocument, personsOf } from '../../policy/document.ts'
import type { Candidates } from '../../policy/inForce.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Revocation } from '../../policy/revocation.ts'
import { type RevocationUnion, uniteRevocations } from '../../policy/revocationUnion.ts'
import type { Findings } from './finding.ts'
import type { Logged } from './log/log.ts'
import type { PolicyReport } from './report.ts'

type Place = { readonly boot: string; readonly index: number }

const NO_ONE: ReadonlySet<string> = new Set()

export class Governed {
  readonly #root: QuorumRoot
  readonly #policies: ReadonlyMap<string, GovernanceDocument<Policy>>
  readonly #revocations: ReadonlyMap<string, GovernanceDocument<Revocation>>
  // By `<boot>/<policySeq>` and `<boot>/<revocationSeq>`, as the log has told them.
  readonly #digests = new Map<string, string>()
  readonly #known = new Map<string, readonly string[]>()
  readonly #knownOf = new Map<string, Set<string>>()
  readonly #unions = new Map<string, RevocationUnion>()

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

    const known = this.#knownOf.get(boot) ?? new Set()
    this.#knownOf.set(boot, known)
    for (const digest of revocations) {
      if (!this.#revocations.has(digest)) findings.missing(`revocation list ${digest}`, loaded)
      known.add(digest)
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
  revokedFor({ boot }: Place, policy: Policy, revocationSeq: number): RevocationUnion | undefined {
    const known = revocationSeq === 0 ? [] : this.#known.get(`${boot}/${revocationSeq}`)
    if (known === undefined) return undefined
    const key = `${policy.seq} ${[...known].join()}`
    const united =
      this.#unions.get(key) ??
      uniteRevocations(
        known.flatMap((digest) => this.#revocations.get(digest) ?? []),
        this.#root,
        new Set(policy.excludedSigners),
      )
    this.#unions.set(key, united)
    return united
  }
}
