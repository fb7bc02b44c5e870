/** ARK → ASK → VCEK, or ARK → ASVK → VLEK: is this the key of a genuine processor, and of which? */
import { hash, type KeyObject, type X509Certificate } from 'node:crypto'
import { CodedError } from '#core/errors.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import {
  amdName,
  assertLeaf,
  type CertificateBody,
  isSignedBy,
  openCertificate,
  readBody,
} from './certificate.ts'
import { malformed } from './der.ts'
import { type EndorsedKey, readEndorsedKey } from './extensions.ts'
import { SIGNING_KEYS, type SigningKey } from './layout.ts'
import type { Product } from './product.ts'
import { type Authority, openAuthority, openRoot, type Root, type RootEntry } from './roots.ts'

/** A leaf, and at most an ASK or ASVK and an ARK; the ARK is ignored, since trust in it cannot come with the evidence. */
const MAX_CERTIFICATES = 3

/** A key that AMD endorses for signing reports. */
export type Endorsement = EndorsedKey & {
  readonly kind: SigningKey
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly root: string
  readonly simulated: boolean
  readonly publicKey: KeyObject
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
    const endorsement = this.#known.get(key) ?? verifyPath(certs, kind, this.roots)
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
    throw malformed(`list has ${certs.length} certificates, the limit is ${MAX_CERTIFICATES}`)
  const [leaf, ...brought] = certs.map(openCertificate)
  if (leaf === undefined)
    throw new CodedError('chain.missing', `the evidence holds no ${kind.toUpperCase()} certificate`)
  assertKind(leaf, kind)
  const path = findPath(leaf, brought, roots)
  const body = readBody(leaf.raw)
  assertLeaf(body)
  if (leaf.publicKey.asymmetricKeyDetails?.namedCurve !== 'secp384r1')
    throw malformed('of an endorsement key has a key that is not on P-384')
  return {
    ...readEndorsedKey(body, path.root.product, kind),
    ...validityOf([body, path.authority.body, path.root.body]),
    kind,
    product: path.root.product,
    root: path.root.fingerprint,
    simulated: path.root.simulated,
    publicKey: leaf.publicKey,
  }
}

/** The report says which kind of key signed it; the certificate's own name must agree. */
function assertKind(leaf: X509Certificate, kind: SigningKey): void {
  const named = SIGNING_KEYS.find((name) => leaf.subject === amdName(`SEV-${name.toUpperCase()}`))
  if (named === undefined) throw malformed('in the first place is not that of a VCEK or VLEK')
  if (named !== kind)
    throw new CodedError(
      'chain.kind-mismatch',
      `the report is signed by a ${kind.toUpperCase()}, the certificate is of a ${named.toUpperCase()}`,
    )
}

/** By signatures alone: the first ASK (for a VLEK: ASVK) that signed the leaf and is signed by a trusted ARK. */
function findPath(
  leaf: X509Certificate,
  brought: readonly X509Certificate[],
  roots: readonly Root[],
): { readonly root: Root; readonly authority: Authority } {
  const isIssuer = (candidate: X509Certificate) => isSignedBy(leaf, candidate)
  for (const root of roots.filter(({ product }) => leaf.issuer === issuerOf(leaf, product))) {
    const held = root.authorities.find(({ certificate }) => isIssuer(certificate))
    if (held !== undefined) return { root, authority: held }
    const found = brought.find((candidate) => isIssuer(candidate) && isSignedBy(candidate, root.certificate))
    if (found !== undefined) return { root, authority: openAuthority(found, root) }
  }
  throw new CodedError('chain.untrusted', 'the endorsement key does not chain to a trusted root')
}

/** A VCEK is signed by the ASK, a VLEK by the ASVK, never across. */
function issuerOf(leaf: X509Certificate, product: Product): string {
  return amdName(leaf.subject === amdName('SEV-VLEK') ? `SEV-VLEK-${product}` : `SEV-${product}`)
}

function validityOf(bodies: readonly CertificateBody[]): Pick<Endorsement, 'notBefore' | 'notAfter'> {
  return {
    notBefore: toUnixSeconds(Math.max(...bodies.map(({ notBefore }) => notBefore))),
    notAfter: toUnixSeconds(Math.min(...bodies.map(({ notAfter }) => notAfter))),
  }
}

function assertValid({ notBefore, notAfter }: Endorsement, at: UnixSeconds): void {
  if (at < notBefore || at > notAfter)
    throw new CodedError(
      'chain.expired',
      `the chain is valid from ${toRfc3339(notBefore)} to ${toRfc3339(notAfter)}, not at ${toRfc3339(at)}`,
    )
}

/** Digests have one length, so that no two lists have one key. */
function keyOf(certs: readonly Uint8Array[], kind: SigningKey): string {
  return `${kind} ${certs.map((der) => hash('sha256', der)).join(' ')}`
}
