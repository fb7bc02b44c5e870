/**
 * What a worker has seen to be in force: the highest that any verified freshness statement named. An answer
 * below it is by a Verifier that is shown less, or was recorded before.
 */
import { CodedError } from '../errors.ts'
import type { Freshness } from './freshness.ts'

/** What a statement names. */
export type Named = Pick<Freshness, 'policy' | 'verifierKeys' | 'revocation' | 'consent'>
type Counted = Named['revocation']

/** What a grant says of it. */
type Granted = {
  readonly policySeq: number
  readonly revocationSeq: number
  readonly dataset: string
  readonly consent: Counted | null
}

export class Floor {
  // Invariant: no number ever falls. Statements raise it, in any order to the same.
  #policy = 0
  #revocation = 0
  #verifierKeys = { seq: 0, digest: '' }
  /** By dataset, with the policy of the statement. */
  readonly #consents = new Map<string, Counted & { readonly policy: number }>()

  /** The statement is verified. One that is older than another raises nothing. */
  raise({ policy, verifierKeys, revocation, consent }: Named): void {
    this.#policy = Math.max(this.#policy, policy.seq)
    this.#revocation = Math.max(this.#revocation, revocation.seq)
    if (verifierKeys.seq > this.#verifierKeys.seq) this.#verifierKeys = verifierKeys
    for (const [dataset, lists] of Object.entries(consent)) {
      const known = this.#consents.get(dataset)
      const newest = known === undefined || lists.seq > known.seq ? lists : known
      // Of two with the same lists, the later policy still had them.
      const of = known?.seq === lists.seq ? Math.max(known.policy, policy.seq) : undefined
      if (newest === lists || of !== undefined)
        this.#consents.set(dataset, { ...newest, policy: of ?? policy.seq })
    }
  }

  /** Throws `grant.stale` for lower verifier keys, or others of the same number. */
  expectKeys({ seq, digest }: Named['verifierKeys']): void {
    const floor = this.#verifierKeys
    if (seq < floor.seq || (seq === floor.seq && digest !== floor.digest))
      throw stale(`verifier keys ${seq} (${digest})`, `verifier keys ${floor.seq} (${floor.digest})`)
  }

  /** Throws `grant.stale` for a grant under a lower policy, or with fewer revocation or consent lists. */
  expectGrant({ policySeq, revocationSeq, dataset, consent }: Granted): void {
    if (policySeq < this.#policy) throw stale(`policySeq ${policySeq}`, `policy ${this.#policy}`)
    if (revocationSeq < this.#revocation)
      throw stale(`revocationSeq ${revocationSeq}`, `${this.#revocation} revocation lists`)
    const lists = this.#consents.get(dataset)
    // A newer policy, which the quorum signed, may have taken the lists from the dataset.
    if (lists === undefined || (consent === null && policySeq > lists.policy)) return
    const { seq, digest } = consent ?? { seq: 0, digest: '' }
    if (seq < lists.seq || (seq === lists.seq && digest !== lists.digest))
      throw stale(`${seq} consent lists of ${dataset} (${digest})`, `${lists.seq} of them (${lists.digest})`)
  }
}

function stale(found: string, expected: string): CodedError {
  return new CodedError('grant.stale', `the answer has ${found}, a freshness statement named ${expected}`)
}
