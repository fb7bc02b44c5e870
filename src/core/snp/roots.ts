/** Trust anchors: AMD's root certificates, pinned per product, and roots that are marked as simulated. */
import { sha256, toHex } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import type { Authority } from './authority.ts'
import { assertRoot, isIssuedBy, parseCertificate } from './certificate.ts'
import { reading } from './der.ts'
import { authorityOf, authorityUnder } from './intermediate.ts'
import type { Product } from './product.ts'
import { importKey } from './publicKey.ts'

/**
 * SHA-256 of each ARK's DER, as AMD's key distribution service publishes it
 * (`/vcek/v1/<product>/cert_chain`).
 */
export const PINNED_ARKS: Readonly<Record<Product, string>> = {
  Milan: '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
  Genoa: '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
  Turin: '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a',
}

/** A root as configured, in DER. An ASK or ASVK that does not come with the evidence must be here. */
export type RootEntry = {
  readonly product: Product
  readonly ark: Uint8Array
  readonly ask?: Uint8Array | undefined
  readonly asvk?: Uint8Array | undefined
  /**
   * True for a root that is not AMD's. A policy must also allow simulation before a key is released under it.
   */
  readonly simulated: boolean
}

/** A verified ARK and the authorities under it. */
export type Root = Authority & {
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly fingerprint: string
  readonly simulated: boolean
  /** ASK and ASVK that are already verified under this root. */
  readonly authorities: readonly Authority[]
}

/** SHA-256 of an ARK's DER, lower-case hex: the form of `PINNED_ARKS`. */
export function arkFingerprint(der: Uint8Array): string {
  return toHex(sha256(der))
}

/**
 * Verifies a configured root.
 *
 * Throws `chain.malformed` if a certificate is not in AMD's form. Throws `chain.untrusted` if the ARK is
 * neither pinned for its product nor marked as simulated, if a pinned ARK is marked as simulated, or if the
 * ARK did not sign itself, the ASK or the ASVK.
 */
export function openRoot(entry: RootEntry): Root {
  return reading(`a root certificate of ${entry.product}`, 'chain.malformed', () => verifyRoot(entry))
}

function verifyRoot({ product, ark, ask, asvk, simulated }: RootEntry): Root {
  const fingerprint = arkFingerprint(ark)
  const pinned = Object.values(PINNED_ARKS).includes(fingerprint)
  if (simulated ? pinned : PINNED_ARKS[product] !== fingerprint)
    throw untrusted(
      simulated
        ? `the ARK of ${product} is AMD's own, expected a simulated one`
        : `the ARK of ${product} has the SHA-256 ${fingerprint}, expected AMD's ${PINNED_ARKS[product]}`,
    )
  const certificate = parseCertificate(ark)
  if (certificate.subject !== `ARK-${product}`)
    throw untrusted(`the ARK is named ${certificate.subject}, expected ARK-${product}`)
  const authority = kept(authorityOf(certificate))
  if (!isIssuedBy(certificate, authority)) throw untrusted(`the ARK of ${product} is not signed by itself`)
  assertRoot(certificate)
  const root = { ...authority, product, fingerprint, simulated }
  const authorities = [ask, asvk]
    .filter((der) => der !== undefined)
    .map((der) => authorityUnder(parseCertificate(der), root))
  if (authorities.includes(undefined))
    throw untrusted(`the ASK or ASVK is not signed by the ARK of ${product}`)
  return { ...root, authorities: authorities.filter((authority) => authority !== undefined).map(kept) }
}

function kept(authority: Authority): Authority {
  return { ...authority, publicKey: importKey(authority.publicKey) }
}

function untrusted(message: string): CodedError {
  return new CodedError('chain.untrusted', message)
}
