/** The verification of a report: a genuine AMD processor made and signed it, at the TCB that it reports. */
import { isZero, sameBytes } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { toRfc3339, type UnixSeconds } from '../time.ts'
import type { Endorsement, TrustStore } from './chain.ts'
import type { Crl } from './crl.ts'
import { reading } from './der.ts'
import { type Product, productOfCpuid } from './product.ts'
import { ecdsaSigValueOf, isSignature, type PublicKey } from './publicKey.ts'
import type { Report, TcbName } from './report.ts'
import { parseTcbs, TCB_COMPONENTS, type Tcb } from './tcb.ts'

declare const verified: unique symbol

/** An authentic report. Only `verifyReport` makes it, and `appraise` accepts nothing else. */
export type VerifiedReport = {
  readonly report: Report
  /** The key that signed the report, and the chain that endorses it. */
  readonly endorsement: Endorsement
  readonly product: Product
  readonly tcb: Readonly<Record<TcbName, Tcb>>
  /** The latest revocation list of the chain's root, if one was given. Its age is not checked here. */
  readonly crl: Crl | undefined
  readonly [verified]: true
}

/**
 * Verifies a parsed report against the certificates that came with it.
 *
 * `certs` are certificates in DER: the VCEK or VLEK first, then the ASK or ASVK if `roots` does not hold it.
 * `crls` are lists that the Verifier fetched itself, never lists from the evidence. `at` is the time of the
 * verification.
 *
 * Throws, in this order: the `chain.*` codes of `TrustStore.endorse`, `chain.revoked`,
 * `chain.product-mismatch`, `report.invalid` (a TCB is not in the layout of the product),
 * `chain.tcb-mismatch`, `chain.chip-mismatch`, `chain.malformed` (the key is not a point on P-384) or
 * `report.signature`.
 */
export function verifyReport(
  report: Report,
  certs: readonly Uint8Array[],
  {
    roots,
    crls,
    at,
  }: { readonly roots: TrustStore; readonly crls: readonly Crl[]; readonly at: UnixSeconds },
): VerifiedReport {
  const endorsement = roots.endorse(certs, report.signingKey, at)
  const crl = matchRevocation(crls, endorsement)
  const product = matchProduct(report, endorsement)
  const tcb = parseTcbs(report.tcb, product)
  matchTcb(tcb.reported, endorsement)
  matchChip(report, endorsement)
  verifySignature(report, endorsement)
  // The only place that gives the brand.
  return { report, endorsement, product, tcb, crl } as VerifiedReport
}

/**
 * Returns the latest list of the chain's root. A revocation is permanent, so every list of the root counts,
 * however old.
 */
function matchRevocation(crls: readonly Crl[], { root, authority, kind }: Endorsement): Crl | undefined {
  const ofRoot = crls.filter((crl) => crl.root === root)
  for (const { revoked, thisUpdate } of ofRoot)
    if (revoked.has(authority))
      throw new CodedError(
        'chain.revoked',
        `the ${kind === 'vlek' ? 'ASVK' : 'ASK'} with serial number ${authority} is on the revocation list of ${toRfc3339(thisUpdate)}`,
      )
  return ofRoot.toSorted((a, b) => b.thisUpdate - a.thisUpdate)[0]
}

/** The product of the chain. A report of version 2 names no processor, so there is nothing to compare. */
function matchProduct({ cpuid }: Report, { product }: Endorsement): Product {
  const named = cpuid === undefined ? product : productOfCpuid(cpuid)
  if (named !== product)
    throw new CodedError(
      'chain.product-mismatch',
      `the report's CPUID names ${named ?? 'an unknown product'}, its certificate chain ${product}`,
    )
  return product
}

/** The firmware derives the key from the TCB: another TCB has another key. */
function matchTcb(reported: Tcb, endorsement: Endorsement): void {
  for (const component of TCB_COMPONENTS)
    if (reported[component] !== endorsement.tcb[component])
      throw new CodedError(
        'chain.tcb-mismatch',
        `REPORTED_TCB ${component} is ${reported[component]}, the endorsement certificate has ${endorsement.tcb[component]}`,
      )
}

/**
 * CHIP_ID is the hardware id, then zeros. A masked CHIP_ID is all zero and matches no chip. A VLEK names no
 * chip.
 */
function matchChip({ chipId }: Report, { hardwareId }: Endorsement): void {
  if (hardwareId === undefined) return
  const [named, rest] = [chipId.subarray(0, hardwareId.byteLength), chipId.subarray(hardwareId.byteLength)]
  if (isZero(named) || !sameBytes(named, hardwareId) || !isZero(rest))
    throw new CodedError(
      'chain.chip-mismatch',
      "the report's CHIP_ID is not the hardware id in the endorsement certificate",
    )
}

function verifySignature(report: Report, { publicKey }: Endorsement): void {
  if (!reading('the endorsement certificate', 'chain.malformed', () => isSignedWith(report, publicKey)))
    throw new CodedError('report.signature', 'the report is not signed by the endorsed key')
}

/**
 * True if `publicKey` signed the report: ECDSA on P-384 with SHA-384 over its bytes 0 to 0x29F. Throws
 * `Malformed`.
 */
export function isSignedWith({ signed, signature }: Report, publicKey: PublicKey): boolean {
  return isSignature(ecdsaSigValueOf(signature), signed, publicKey)
}
