/** Provider keys (VLEK): AMD issues one per cloud provider and TCB, for all its chips, valid for a year. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { toHex } from '#core/bytes.ts'
import { AMD_OID } from '#core/snp/extensions.ts'
import type { Product } from '#core/snp/product.ts'
import { encodeTcb, type Tcb } from '#core/snp/tcb.ts'
import { type CertificateRequest, extension } from './certificate.ts'
import { ia5 } from './der.ts'
import { derivedKey, endorsementExtensions, YEAR } from './vcek.ts'

/** The VLEK of a provider at a TCB: a private key on P-384. */
export function deriveVlek(secret: Uint8Array, product: Product, cspId: string, tcb: Tcb): KeyObject {
  return derivedKey(secret, `VLEK ${cspId} ${toHex(encodeTcb(tcb, product))}`)
}

/** The content of its certificate. `notBefore` is in seconds since the epoch. */
export function vlekRequest(
  key: KeyObject,
  about: {
    readonly product: Product
    /** As AMD writes it: `CN=cc-us-east-2.amazonaws.com`. */
    readonly cspId: string
    readonly tcb: Tcb
    readonly notBefore: number
  },
): CertificateRequest {
  const { product, cspId, tcb, notBefore } = about
  return {
    serial: 0,
    issuer: `SEV-VLEK-${product}`,
    subject: 'SEV-VLEK',
    notBefore,
    notAfter: notBefore + YEAR,
    publicKey: createPublicKey(key),
    extensions: [...endorsementExtensions(product, product, tcb), extension(AMD_OID.cspId, ia5(cspId))],
  }
}
