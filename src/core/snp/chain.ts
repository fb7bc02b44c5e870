/**
 * Certificate chains: ARK → ASK → VCEK, or ARK → ASVK → VLEK. A chain proves that the key of a report belongs
 * to a genuine processor, and to which product (KDS specification, AMD publication 57230).
 */
import { hash } from 'node:crypto'
import { CodedError } from '../errors/report.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import type { Authority } from './authority.ts'
import { assertLeaf, type Certificate, isIssuedBy, parseCertificate } from './certificate.ts'
import { reading } from './der.ts'
import type { EndorsedKey } from './endorsedKey.ts'
import { readEndorsedKey } from './extensions.ts'
import { authorityUnder } from './intermediate.ts'
import { SIGNING_KEYS, type SigningKey } from './layout.ts'
import type { Product } from './product.ts'
import { importKey, type PublicKey, p384Of } from './publicKey.ts'
import { openRoot, type Root, type RootEntry } from './roots.ts'

/**
 * A leaf, an ASK or ASVK, and an ARK. The ARK is ignored, since trust in it cannot come with the evidence.
 */
const MAX_CERTIFICATES = 3

/** A key that AMD endorses for signing reports. */
export type Endorsement = EndorsedKey & {
  readonly kind: SigningKey
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly root: string
  /** True if the root is not AMD's but a root of a simulation. */
  readonly simulated: boolean
  /** Serial number of the ASK or ASVK, lower-case hex, as revocation lists name it. */
  readonly authority: string
  readonly publicKey: PublicKey
  /** The period in which every certificate of the chain is valid, both ends included. */
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
}

/**
 * The trusted roots, with a bounded cache of verified chains. The same leaf comes with every report of a
 * machine, and a valid signature stays valid, so only the time is checked again on each call. Refusals are
 * not cached: an attacker cannot fill the cache.
 *
 * Invariant: every endorsement in `known` was returned by `verifyPath` for exactly the certificates of its
 * key.
 */
export class TrustStore {
  /** As configured, in the order of `roots`. */
  readonly entries: readonly RootEntry[]
  readonly roots: readonly Root[]
  readonly #known = new Map<string, Endorsement>()
  readonly #limit: number

  /**
   * `remember` is the number of chains in the cache. The least recently used chain leaves first; 0 disables
   * the cache. Throws the codes of `openRoot`.
   */
  constructor(entries: readonly RootEntry[], { remember = 1024 }: { readonly remember?: number } = {}) {
    this.entries = entries
    this.roots = entries.map(openRoot)
    this.#limit = remember
  }

  /**
   * Verifies the chain of the key that signed a report. `certs` are certificates in DER: the leaf first, then
   * at most two others. `kind` is the report's signing key, `at` the time of the verification.
   *
   * Throws `chain.missing`, `chain.malformed`, `chain.kind-mismatch`, `chain.untrusted`,
   * `chain.product-mismatch` or `chain.expired`.
   */
  endorse(certs: readonly Uint8Array[], kind: SigningKey, at: UnixSeconds): Endorsement {
    const key = keyOf(certs, kind)
    const known = this.#known.get(key)
    const endorsement = reading('a certificate', 'chain.malformed', () =>
      known === undefined ? verifyPath(certs, kind, this.roots) : kept(known),
    )
    this.#known.delete(key)
    this.#known.set(key, endorsement)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limit) break
      this.#known.delete(oldest)
    }
    assertValid(endorsement, at)
    return endorsement
  }
}

function verifyPath(certs: readonly Uint8Array[], kind: SigningKey, roots: readonly Root[]): Endorsement {
  if (certs.length > MAX_CERTIFICATES)
    throw new CodedError(
      'chain.malformed',
      `the chain has ${certs.length} certificates, expected at most ${MAX_CERTIFICATES}`,
    )
  const [first, ...brought] = certs
  if (first === undefined)
    throw new CodedError('chain.missing', `the evidence contains no ${kind.toUpperCase()} certificate`)
  const leaf = parseCertificate(first)
  assertKind(leaf, kind)
  const { root, authority } = findPath(leaf, brought, roots)
  assertLeaf(leaf)
  return {
    ...readEndorsedKey(leaf.extensions, root.product, kind),
    ...validityOf([leaf, authority, root]),
    kind,
    product: root.product,
    root: root.fingerprint,
    simulated: root.simulated,
    authority: authority.serial,
    publicKey: p384Of(leaf.spki),
  }
}

/** Refuses a leaf whose name is not that of `kind`, the kind of key that the report states. */
function assertKind(leaf: Certificate, kind: SigningKey): void {
  const named = SIGNING_KEYS.find((name) => leaf.subject === `SEV-${name.toUpperCase()}`)
  if (named === undefined)
    throw new CodedError('chain.malformed', 'the first certificate is not a VCEK or VLEK certificate')
  if (named !== kind)
    throw new CodedError(
      'chain.kind-mismatch',
      `the report is signed by a ${kind.toUpperCase()}, the first certificate is a ${named.toUpperCase()} certificate`,
    )
}

/**
 * The first ASK (for a VLEK: ASVK) that signed the leaf and is signed by a trusted ARK. The certificates in
 * `brought` are read only if the store holds no such authority.
 */
function findPath(
  leaf: Certificate,
  brought: readonly Uint8Array[],
  roots: readonly Root[],
): { readonly root: Root; readonly authority: Authority } {
  for (const root of roots.filter(({ product }) => leaf.issuer === issuerOf(leaf, product))) {
    const authority =
      root.authorities.find((held) => isIssuedBy(leaf, held)) ??
      brought
        .map(parseCertificate)
        .filter(({ subject }) => subject === leaf.issuer)
        .map((candidate) => authorityUnder(candidate, root))
        .find((found) => found !== undefined && isIssuedBy(leaf, found))
    if (authority !== undefined) return { root, authority }
  }
  throw new CodedError('chain.untrusted', 'the endorsement key does not chain to a trusted root')
}

/** The name of the authority that signs this leaf: the ASK for a VCEK, the ASVK for a VLEK. */
function issuerOf({ subject }: Certificate, product: Product): string {
  return subject === 'SEV-VLEK' ? `SEV-VLEK-${product}` : `SEV-${product}`
}

function validityOf(
  certificates: readonly Pick<Certificate, 'notBefore' | 'notAfter'>[],
): Pick<Endorsement, 'notBefore' | 'notAfter'> {
  return {
    notBefore: toUnixSeconds(Math.max(...certificates.map(({ notBefore }) => notBefore))),
    notAfter: toUnixSeconds(Math.min(...certificates.map(({ notAfter }) => notAfter))),
  }
}

function assertValid({ notBefore, notAfter }: Endorsement, at: UnixSeconds): void {
  if (at < notBefore || at > notAfter)
    throw new CodedError(
      'chain.expired',
      `the chain is valid from ${toRfc3339(notBefore)} to ${toRfc3339(notAfter)}, not at ${toRfc3339(at)}`,
    )
}

/** The endorsement of a chain that came a second time: its key is imported once and then kept. */
function kept(endorsement: Endorsement): Endorsement {
  const publicKey = importKey(endorsement.publicKey)
  return publicKey === endorsement.publicKey ? endorsement : { ...endorsement, publicKey }
}

/** The cache key. Digests have a fixed length, so different lists have different keys. */
function keyOf(certs: readonly Uint8Array[], kind: SigningKey): string {
  return `${kind} ${certs.map((der) => hash('sha256', der)).join(' ')}`
}
