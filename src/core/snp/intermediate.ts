/** ASK and ASVK: the authorities between a root and the key that signs reports. */
import type { Authority } from './authority.ts'
import { assertIntermediate, type Certificate, isIssuedBy } from './certificate.ts'
import type { Product } from './product.ts'
import { rsa4096Of } from './publicKey.ts'

/**
 * The ASK or ASVK of `root` in this certificate, or undefined if it has another name or signer. Throws
 * `Malformed` if `root` signed it, but not as an authority.
 */
export function authorityUnder(
  certificate: Certificate,
  root: Authority & { readonly product: Product },
): Authority | undefined {
  const isNamed = [`SEV-${root.product}`, `SEV-VLEK-${root.product}`].includes(certificate.subject)
  if (!isNamed || !isIssuedBy(certificate, root)) return undefined
  assertIntermediate(certificate)
  return authorityOf(certificate)
}

/**
 * The name, serial number, validity and key of an authority. Throws `Malformed` if the key is not RSA-4096.
 */
export function authorityOf({ subject, serial, notBefore, notAfter, spki }: Certificate): Authority {
  return { subject, serial, notBefore, notAfter, publicKey: rsa4096Of(spki) }
}
