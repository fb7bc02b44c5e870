/** Where trust begins: AMD's root keys, pinned per product, and (in simulation) roots that a policy names as such. */
import { sha256, toHex } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import type { Authority } from './authority.ts'
import { assertRoot, isIssuedBy, parseCertificate } from './certificate.ts'
import { reading } from './der.ts'
import { authorityOf, authorityUnder } from './intermediate.ts'
import type { Product } from './product.ts'
import { importKey } from './publicKey.ts'

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
export function openRoot(entry: RootEntry): Root {
  return reading('a certificate', 'chain.malformed', () => verifyRoot(entry))
}

function verifyRoot({ product, ark, ask, asvk, simulated }: RootEntry): Root {
  const fingerprint = arkFingerprint(ark)
  const pinned = Object.values(PINNED_ARKS).includes(fingerprint)
  if (simulated ? pinned : PINNED_ARKS[product] !== fingerprint)
    throw untrusted(
      simulated ? `AMD's own ARK is not a simulated root` : `the ARK is not AMD's for ${product}`,
    )
  const certificate = parseCertificate(ark)
  if (certificate.subject !== `ARK-${product}`)
    throw untrusted(`the ARK is named ${certificate.subject}, not ARK-${product}`)
  const authority = kept(authorityOf(certificate))
  if (!isIssuedBy(certificate, authority)) throw untrusted(`the ARK of ${product} has not signed itself`)
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
