/** Is a report authentic: made and signed by a genuine processor at the TCB it states? */
import { isZero, sameBytes } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { toRfc3339, type UnixSeconds } from '../time.ts'
import type { Endorsement, TrustStore } from './chain.ts'
import type { Crl } from './crl.ts'
import { reading } from './der.ts'
import { type Product, productOfCpuid } from './product.ts'
import { ecdsaSigValueOf, isSignature, type PublicKey } from './publicKey.ts'
import type { Report, TcbName } from './report.ts'
import { parseTcb, TCB_COMPONENTS, type Tcb } from './tcb.ts'

declare const verified: unique symbol

/** An authentic report. Made by `verifyReport` alone; the only thing that `appraise` takes. */
export type VerifiedReport = {
  readonly report: Report
  readonly endorsement: Endorsement
  readonly product: Product
  readonly tcb: Readonly<Record<TcbName, Tcb>>
  /** The latest revocation list of the root, which does not name the chain; whether it is new enough is not decided here. */
  readonly crl: Crl | undefined
  readonly [verified]: true
}

/**
 * `certs` is DER: the VCEK or VLEK first, then (where `roots` does not hold it) the ASK or ASVK. `crls` come from our own fetch,
 * never from the evidence.
 *
 * Throws the `chain.*` codes of `TrustStore.endorse`, then `chain.revoked`, `chain.product-mismatch`, `report.invalid` (a TCB that is not in
 * the product's layout), `chain.tcb-mismatch`, `chain.chip-mismatch`, `report.signature`.
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
  const tcb = parseTcbs(report, product)
  matchTcb(tcb.reported, endorsement)
  matchChip(report, endorsement)
  verifySignature(report, endorsement)
  // The one place where the brand is given.
  return { report, endorsement, product, tcb, crl } as VerifiedReport
}

/** Once revoked is revoked for good: any list of the root counts, however old. The latest is returned. */
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

/** Version 2 names no processor: there the chain speaks alone. */
function matchProduct({ cpuid }: Report, { product }: Endorsement): Product {
  const named = cpuid === undefined ? product : productOfCpuid(cpuid)
  if (named !== product)
    throw new CodedError(
      'chain.product-mismatch',
      `the report's CPUID is of ${named ?? 'an unknown product'}, its chain of ${product}`,
    )
  return product
}

function parseTcbs({ tcb }: Report, product: Product): VerifiedReport['tcb'] {
  return {
    reported: parseTcb(tcb.reported, product),
    committed: parseTcb(tcb.committed, product),
    current: parseTcb(tcb.current, product),
    launch: parseTcb(tcb.launch, product),
  }
}

/** The key is derived from the TCB: another TCB is another key. */
function matchTcb(reported: Tcb, endorsement: Endorsement): void {
  for (const component of TCB_COMPONENTS)
    if (reported[component] !== endorsement.tcb[component])
      throw new CodedError(
        'chain.tcb-mismatch',
        `${component} is ${reported[component]} in the report, ${endorsement.tcb[component]} in the certificate`,
      )
}

/** CHIP_ID is the hardware id, then zeros. A masked one (all zero) names no chip and matches none. */
function matchChip({ chipId }: Report, { hardwareId }: Endorsement): void {
  if (hardwareId === undefined) return
  const [named, rest] = [chipId.subarray(0, hardwareId.byteLength), chipId.subarray(hardwareId.byteLength)]
  if (isZero(named) || !sameBytes(named, hardwareId) || !isZero(rest))
    throw new CodedError('chain.chip-mismatch', "the report's chip id is not the certificate's hardware id")
}

function verifySignature(report: Report, { publicKey }: Endorsement): void {
  if (!reading('a certificate', 'chain.malformed', () => isSignedWith(report, publicKey)))
    throw new CodedError('report.signature', 'the report is not signed by the endorsed key')
}

/** ECDSA on P-384 with SHA-384 over the received bytes 0 to 0x29F. */
export function isSignedWith({ signed, signature }: Report, publicKey: PublicKey): boolean {
  return isSignature(ecdsaSigValueOf(signature), signed, publicKey)
}
