/**
 * Roots and revocation lists as requests name them, opened once each: the machines of a pool share a chain, so
 * a request costs the signature of its report.
 */
import { CodedError } from '../../errors.ts'
import { TrustStore } from '../../snp/chain.ts'
import { type Crl, openCrl } from '../../snp/crl.ts'
import { arkFingerprint, PINNED_ARKS } from '../../snp/roots.ts'
import type { RequestRecord } from '../record.ts'
import type { CaseObjects } from './case.ts'

/** AMD has three roots, and renews the rest of a chain every few years. */
const MAX_OPEN = 64

export class Chains {
  readonly #roots = new Map<string, TrustStore>()
  readonly #crls = new Map<string, Crl>()

  /** Throws as `openRoot`. A root that is not AMD's is simulated, whatever it claims. */
  rootOf({ root }: Pick<RequestRecord, 'root'>, objects: CaseObjects): TrustStore {
    const { product, ark, ask, asvk } = root
    return opened(this.#roots, [product, ark, ask, asvk].join(' '), () => {
      const der = objectOf(ark, objects)
      const held = (digest: string | null) => (digest === null ? undefined : objectOf(digest, objects))
      const simulated = PINNED_ARKS[product] !== arkFingerprint(der)
      return new TrustStore([{ product, ark: der, ask: held(ask), asvk: held(asvk), simulated }])
    })
  }

  /** Throws as `openCrl`. */
  crlsOf({ crl }: Pick<RequestRecord, 'crl'>, roots: TrustStore, objects: CaseObjects): readonly Crl[] {
    if (crl === null) return []
    const key = [crl, ...roots.roots.map(({ fingerprint }) => fingerprint)].join(' ')
    return [opened(this.#crls, key, () => openCrl(objectOf(crl, objects), roots.roots))]
  }
}

function opened<T>(known: Map<string, T>, key: string, open: () => T): T {
  const before = known.get(key)
  if (before !== undefined) return before
  if (known.size >= MAX_OPEN) known.clear()
  const value = open()
  known.set(key, value)
  return value
}

/** An absent object has its own finding, and its case is not reviewed. */
export function objectOf(digest: string, objects: CaseObjects): Buffer {
  const bytes = objects.get(digest)
  if (bytes === undefined) throw new CodedError('internal.fault', `an object of the record is not at hand`)
  // A copy that came from another thread has plain bytes.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
