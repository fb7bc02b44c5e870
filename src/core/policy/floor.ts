/**
 * What a worker has seen to be in force: the highest that any verified freshness statement named. An answer
 * below it is by a Verifier that is shown less, or was recorded before.
 */
import { CodedError } from '../errors.ts'
import type { Freshness } from './freshness.ts'

/** What a statement names. */
export type Named = Pick<Freshness, 'policy' | 'verifierKeys' | 'revocation'>

export class Floor {
  // Invariant: no number ever falls. Statements raise it, in any order to the same.
  #policy = 0
  #revocation = 0
  #verifierKeys = { seq: 0, digest: '' }

  /** The statement is verified. One that is older than another raises nothing. */
  raise({ policy, verifierKeys, revocation }: Named): void {
    this.#policy = Math.max(this.#policy, policy.seq)
    this.#revocation = Math.max(this.#revocation, revocation.seq)
    if (verifierKeys.seq > this.#verifierKeys.seq) this.#verifierKeys = verifierKeys
  }

  /** Throws `grant.stale` for lower verifier keys, or others of the same number. */
  expectKeys({ seq, digest }: Named['verifierKeys']): void {
    const floor = this.#verifierKeys
    if (seq < floor.seq || (seq === floor.seq && digest !== floor.digest))
      throw stale(`verifier keys ${seq} (${digest})`, `verifier keys ${floor.seq} (${floor.digest})`)
  }

  /** Throws `grant.stale` for a grant under a lower policy, or with fewer revocation lists. */
  expectGrant({ policySeq, revocationSeq }: { policySeq: number; revocationSeq: number }): void {
    if (policySeq < this.#policy) throw stale(`policySeq ${policySeq}`, `policy ${this.#policy}`)
    if (revocationSeq < this.#revocation)
      throw stale(`revocationSeq ${revocationSeq}`, `${this.#revocation} revocation lists`)
  }
}

function stale(found: string, expected: string): CodedError {
  return new CodedError('grant.stale', `the answer has ${found}, a freshness statement named ${expected}`)
}
