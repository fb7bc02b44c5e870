/**
 * Chip keys (VCEK). As at AMD, they are derived from a secret, the hardware id and the TCB, and are not
 * stored.
 */
import { createECDH, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { fromHex, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { AMD_OID, HARDWARE_ID_BYTES, SPL_OID, SPL_ROWS } from '#core/snp/extensions.ts'
import { P384_ORDER, SCALAR_BYTES } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { encodeTcb, TCB_LAYOUTS, type Tcb } from '#core/snp/tcb.ts'
import { type CertificateRequest, extension } from './certificate.ts'
import { ia5, integer } from './der.ts'

export const YEAR = 31_557_600
const VCEK_YEARS = 7

/** Returns hex, in the product's length. */
export function hardwareIdOf(secret: Uint8Array, product: Product): string {
  return toHex(expand(secret, 'hardware id', HARDWARE_ID_BYTES[product]))
}

/** The VCEK of a chip at a TCB: a private key on P-384. */
export function deriveVcek(secret: Uint8Array, product: Product, hardwareId: string, tcb: Tcb): KeyObject {
  return derivedKey(secret, `VCEK ${hardwareId} ${toHex(encodeTcb(tcb, product))}`)
}

/** A private key on P-384. The same secret and label give the same key. */
export function derivedKey(secret: Uint8Array, label: string): KeyObject {
  // 16 bytes longer than the order, so that the bias of the remainder is negligible.
  const wide = BigInt(`0x${toHex(expand(secret, label, SCALAR_BYTES + 16))}`)
  const scalar = (wide % (P384_ORDER - 1n)) + 1n
  const d = fromHex(scalar.toString(16).padStart(2 * SCALAR_BYTES, '0'))
  const ecdh = createECDH('secp384r1')
  ecdh.setPrivateKey(d)
  const point = ecdh.getPublicKey()
  const jwk = {
    kty: 'EC',
    crv: 'P-384',
    x: toBase64url(point.subarray(1, 1 + SCALAR_BYTES)),
    y: toBase64url(point.subarray(1 + SCALAR_BYTES)),
    d: toBase64url(d),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

/** The content of its certificate. `notBefore` is in seconds since the epoch. */
export function vcekRequest(
  key: KeyObject,
  about: {
    readonly product: Product
    readonly hardwareId: string
    readonly tcb: Tcb
    readonly notBefore: number
  },
): CertificateRequest {
  const { product, hardwareId, tcb, notBefore } = about
  return {
    serial: 0,
    issuer: `SEV-${product}`,
    subject: 'SEV-VCEK',
    notBefore,
    notAfter: notBefore + VCEK_YEARS * YEAR,
    publicKey: createPublicKey(key),
    extensions: [
      ...endorsementExtensions(product, product === 'Milan' ? 'Milan-B0' : product, tcb),
      extension(AMD_OID.hardwareId, fromHex(hardwareId)),
    ],
  }
}

/** The extensions that VCEK and VLEK share: structure version, product name, patch levels. */
export function endorsementExtensions(product: Product, productName: string, tcb: Tcb): readonly Buffer[] {
  const levels: Partial<Record<keyof typeof SPL_OID, number>> = tcb
  return [
    extension(AMD_OID.structVersion, integer(TCB_LAYOUTS[product].structVersion)),
    extension(AMD_OID.productName, ia5(productName)),
    ...SPL_ROWS[product].map((row) => extension(SPL_OID[row], integer(levels[row] ?? 0))),
  ]
}

function expand(secret: Uint8Array, label: string, size: number): Buffer {
  return Buffer.from(hkdfSync('sha384', secret, Buffer.alloc(0), utf8(label), size))
}
