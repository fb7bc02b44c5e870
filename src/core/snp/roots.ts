/** Where trust begins: AMD's root keys, pinned per product, and (in simulation) roots that a policy names as such. */
import type { X509Certificate } from 'node:crypto'
import { sha256, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import {
  amdName,
  assertAuthority,
  type CertificateBody,
  isSignedBy,
  openCertificate,
  readBody,
} from './certificate.ts'
import { malformed } from './der.ts'
import type { Product } from './product.ts'

/** SHA-256 of the ARK's DER, as AMD's key distribution service publishes it (`/vcek/v1/<product>/cert_chain`). */
export const PINNED_ARKS: Readonly<Record<Product, string>> = {
  Milan: '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
  Genoa: '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
  Turin: '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a',
}

/** A root as configured, in DER. What the evidence does not bring of ASK and ASVK must be here. */
export type RootEntry = {
  readonly product: Product
  readonly ark: Uint8Array
  readonly ask?: Uint8Array | undefined
  readonly asvk?: Uint8Array | undefined
  /** Not AMD's. It says so itself; a policy must say so too before anything is released to it. */
  readonly simulated: boolean
}

/** A certificate that has been verified and read. */
export type Authority = { readonly certificate: X509Certificate; readonly body: CertificateBody }

export type Root = Authority & {
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly fingerprint: string
  readonly simulated: boolean
  /** ASK and ASVK that are already verified under this root. */
  readonly authorities: readonly Authority[]
}

export function arkFingerprint(der: Uint8Array): string {
  return toHex(sha256(der))
}

/**
 * Throws `chain.malformed` for what is not such a certificate, `chain.untrusted` where an ARK that is not marked simulated is
 * not the pinned one of its product, a pinned one is marked simulated, or an ASK or ASVK is not signed by its ARK.
 */
export function openRoot({ product, ark, ask, asvk, simulated }: RootEntry): Root {
  const certificate = openCertificate(ark)
  const fingerprint = arkFingerprint(ark)
  const pinned = Object.values(PINNED_ARKS).includes(fingerprint)
  if (simulated ? pinned : PINNED_ARKS[product] !== fingerprint)
    throw new CodedError(
      'chain.untrusted',
      simulated ? `AMD's own ARK is not a simulated root` : `the ARK is not AMD's for ${product}`,
    )
  if (certificate.subject !== amdName(`ARK-${product}`) || !isSignedBy(certificate, certificate))
    throw new CodedError('chain.untrusted', `the ARK is not a root that signed itself as ARK-${product}`)
  const body = readBody(certificate.raw)
  assertRsa4096(certificate)
  assertAuthority(body, undefined)
  const root = { certificate, body, product, fingerprint, simulated, authorities: [] }
  const authorities = [ask, asvk].filter((der) => der !== undefined)
  return { ...root, authorities: authorities.map((der) => openAuthority(openCertificate(der), root)) }
}

/** An ASK or ASVK under `root`. Throws `chain.untrusted` or `chain.malformed`. */
export function openAuthority(certificate: X509Certificate, root: Root): Authority {
  const names = [amdName(`SEV-${root.product}`), amdName(`SEV-VLEK-${root.product}`)]
  if (!names.includes(certificate.subject) || !isSignedBy(certificate, root.certificate))
    throw new CodedError('chain.untrusted', `the ASK or ASVK is not signed by the ARK of ${root.product}`)
  const body = readBody(certificate.raw)
  assertRsa4096(certificate)
  assertAuthority(body, 0)
  return { certificate, body }
}

function assertRsa4096({ publicKey }: X509Certificate): void {
  if (publicKey.asymmetricKeyType !== 'rsa' || publicKey.asymmetricKeyDetails?.modulusLength !== 4096)
    throw malformed('of an authority has a key that is not RSA of 4096 bits')
}
