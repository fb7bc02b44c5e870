/** ASK and ASVK: the authorities between a root and the key that signs reports. */
import type { Authority } from './authority.ts'
import { assertIntermediate, type Certificate, isIssuedBy } from './certificate.ts'
import type { Product } from './product.ts'
import { rsa4096Of } from './publicKey.ts'

/** The ASK or ASVK, if `root` has signed it. Throws `Malformed` if the root has signed something else under its name. */
export function authorityUnder(
  certificate: Certificate,
  root: Authority & { readonly product: Product },
): Authority | undefined {
  const isNamed = [`SEV-${root.product}`, `SEV-VLEK-${root.product}`].includes(certificate.subject)
  if (!isNamed || !isIssuedBy(certificate, root)) return undefined
  assertIntermediate(certificate)
  return authorityOf(certificate)
}

/** Throws `Malformed` for a key that is not RSA of 4096 bits. */
export function authorityOf({ subject, serial, notBefore, notAfter, spki }: Certificate): Authority {
  return { subject, serial, notBefore, notAfter, publicKey: rsa4096Of(spki) }
}
