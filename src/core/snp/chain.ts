/** ARK → ASK → VCEK, or ARK → ASVK → VLEK: is this the key of a genuine processor, and of which? */
import { hash } from 'node:crypto'
import { CodedError } from '../errors/report.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '../time.ts'
import type { Authority } from './authority.ts'
import { assertLeaf, type Certificate, isIssuedBy, parseCertificate } from './certificate.ts'
import { Malformed, reading } from './der.ts'
import type { EndorsedKey } from './endorsedKey.ts'
import { readEndorsedKey } from './extensions.ts'
import { authorityUnder } from './intermediate.ts'
import { SIGNING_KEYS, type SigningKey } from './layout.ts'
import type { Product } from './product.ts'
import { importKey, type PublicKey, p384Of } from './publicKey.ts'
import { openRoot, type Root, type RootEntry } from './roots.ts'

/** A leaf, and at most an ASK or ASVK and an ARK; the ARK is ignored, since trust in it cannot come with the evidence. */
const MAX_CERTIFICATES = 3

/** A key that AMD endorses for signing reports. */
export type Endorsement = EndorsedKey & {
  readonly kind: SigningKey
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly root: string
  readonly simulated: boolean
  /** Serial number of the ASK or ASVK, as revocation lists name it; lower-case hex. */
  readonly authority: string
  readonly publicKey: PublicKey
  /** When every certificate of the chain is valid. */
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
}

/**
 * The roots that chains may end at, and a bounded memory of the chains that did: a leaf is presented with every report, and
 * what is true of its bytes stays true. Time is checked on each call. Refusals are not remembered, so a stranger
 * cannot fill it.
 *
 * Invariant: every endorsement in `known` was returned by `verifyPath` for exactly the certificates of its key.
 */
export class TrustStore {
  readonly roots: readonly Root[]
  readonly #known = new Map<string, Endorsement>()
  readonly #limit: number

  /** Throws as `openRoot`. `remember`: chains kept, the longest unused leaves first; 0 verifies each anew. */
  constructor(entries: readonly RootEntry[], { remember = 1024 }: { readonly remember?: number } = {}) {
    this.roots = entries.map(openRoot)
    this.#limit = remember
  }

  /**
   * `certs` is DER, the leaf first. Throws `chain.missing`, `chain.malformed`, `chain.kind-mismatch`,
   * `chain.untrusted`, `chain.product-mismatch` or `chain.expired`.
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
    throw new Malformed(`list has ${certs.length} certificates, the limit is ${MAX_CERTIFICATES}`)
  const [first, ...brought] = certs
  if (first === undefined)
    throw new CodedError('chain.missing', `the evidence holds no ${kind.toUpperCase()} certificate`)
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

/** The report says which kind of key signed it; the certificate's own name must agree. */
function assertKind(leaf: Certificate, kind: SigningKey): void {
  const named = SIGNING_KEYS.find((name) => leaf.subject === `SEV-${name.toUpperCase()}`)
  if (named === undefined) throw new Malformed('in the first place is not that of a VCEK or VLEK')
  if (named !== kind)
    throw new CodedError(
      'chain.kind-mismatch',
      `the report is signed by a ${kind.toUpperCase()}, the certificate is of a ${named.toUpperCase()}`,
    )
}

/** The first ASK (for a VLEK: ASVK) that is signed by a trusted ARK and signed the leaf. Those that came along are read if need be. */
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

/** A VCEK is signed by the ASK, a VLEK by the ASVK, never across. */
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

/** Of a chain that came again: its key is imported, and once. */
function kept(endorsement: Endorsement): Endorsement {
  const publicKey = importKey(endorsement.publicKey)
  return publicKey === endorsement.publicKey ? endorsement : { ...endorsement, publicKey }
}

/** Digests have one length, so that no two lists have one key. */
function keyOf(certs: readonly Uint8Array[], kind: SigningKey): string {
  return `${kind} ${certs.map((der) => hash('sha256', der)).join(' ')}`
}
