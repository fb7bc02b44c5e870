/**
 * Finds the certificate that belongs to a report, without a root. It serves programs that gather evidence. A
 * match does not make a certificate genuine; only `verifyReport` proves that.
 */
import { isZero, sameBytes } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { isIssuedBy, parseCertificate } from './certificate.ts'
import { reading } from './der.ts'
import { HARDWARE_ID_BYTES, readEndorsedKey } from './extensions.ts'
import type { SigningKey } from './layout.ts'
import { PRODUCTS, type Product, productOfCpuid } from './product.ts'
import { p384Of, rsa4096Of } from './publicKey.ts'
import type { Report } from './report.ts'
import { parseTcb, TCB_COMPONENTS, type Tcb } from './tcb.ts'
import { isSignedWith } from './verify.ts'

/** The statements that the certificate of a report's signing key must make. */
export type WantedLeaf = {
  readonly kind: SigningKey
  readonly product: Product
  readonly tcb: Tcb
  /** In the product's length; undefined for a VLEK, and if the host masks its chip. */
  readonly hardwareId: Uint8Array | undefined
}

/**
 * The certificates that can belong to a report. There is at most one if the report names its processor. A
 * report of version 2 does not, so it may have one per product. There is none if the report fits no known
 * product.
 */
export function wantedLeavesOf({ cpuid, chipId, tcb, signingKey }: Report): readonly WantedLeaf[] {
  const products = cpuid === undefined ? PRODUCTS : [productOfCpuid(cpuid)]
  return products.flatMap((product) => {
    if (product === undefined || !hasLayout(tcb.reported, product)) return []
    const size = HARDWARE_ID_BYTES[product]
    const [hardwareId, rest] = [chipId.subarray(0, size), chipId.subarray(size)]
    const isNamed = signingKey === 'vcek' && !isZero(hardwareId)
    if (isNamed && !isZero(rest)) return []
    const wanted = { kind: signingKey, product, tcb: parseTcb(tcb.reported, product) }
    return [{ ...wanted, hardwareId: isNamed ? hardwareId : undefined }]
  })
}

/**
 * True if the certificate in DER makes these statements and its key signed the report. False for malformed
 * bytes.
 */
export function isLeafOf(der: Uint8Array, wanted: WantedLeaf, report: Report): boolean {
  return holds(() => {
    const certificate = parseCertificate(der)
    const { kind, product, tcb, hardwareId } = wanted
    const key = readEndorsedKey(certificate.extensions, product, kind)
    return (
      certificate.subject === `SEV-${kind.toUpperCase()}` &&
      TCB_COMPONENTS.every((component) => key.tcb[component] === tcb[component]) &&
      (hardwareId === undefined || sameBytes(key.hardwareId ?? Buffer.alloc(0), hardwareId)) &&
      isSignedWith(report, p384Of(certificate.spki))
    )
  })
}

/** True if `authority` is the ASK or ASVK that signed `leaf`, both in DER. False for malformed bytes. */
export function isAuthorityOf(authority: Uint8Array, leaf: Uint8Array): boolean {
  return holds(() => {
    const issuer = parseCertificate(authority)
    return isIssuedBy(parseCertificate(leaf), { ...issuer, publicKey: rsa4096Of(issuer.spki) })
  })
}

function hasLayout(reported: Uint8Array, product: Product): boolean {
  return holds(() => {
    parseTcb(reported, product)
    return true
  })
}

/** False for malformed bytes: they are not a match, whatever is wrong with them. */
function holds(test: () => boolean): boolean {
  try {
    return reading('a certificate', 'chain.malformed', test)
  } catch (error) {
    if (error instanceof CodedError) return false
    throw error
  }
}
