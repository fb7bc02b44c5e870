/** The correct evidence of each product under the vectors' own roots. Each vector changes one thing in it. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { fromHex, toBase64url } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { AMD_OID, HARDWARE_ID_BYTES, SPL_OID, SPL_ROWS } from '#core/snp/extensions.ts'
import type { SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { TCB_LAYOUTS, type Tcb } from '#core/snp/tcb.ts'
import { parseRfc3339, toRfc3339, toUnixSeconds } from '#core/time.ts'
import {
  authorityExtensions,
  authorityKeyIdentifier,
  crlDistributionPoint,
  extension,
  nameOf,
  type SignatureScheme,
  subjectKeyIdentifier,
} from '#lab/amd/certificate.ts'
import { bits, explicit, ia5, integer, sequence, time } from '#lab/amd/der.ts'
import { type Platform, type PlatformInput, PlatformSchema } from '#lab/amd/platform.ts'
import { mintReport } from '#lab/amd/report.ts'
import { seeded } from '../sealed/seeded.ts'
import { type EcKey, ecKey, pss, rsaKey, signReport } from './keys.ts'
import type { RootRow } from './vector.ts'

export const AT = '2026-11-21T12:00:00Z'
export const NOW: number = parseRfc3339(AT)
export const BEGIN = parseRfc3339('2024-01-01T00:00:00Z')
export const LEAF_END = parseRfc3339('2031-01-01T00:00:00Z')
/** The only time that is encoded as GeneralizedTime. */
export const END = parseRfc3339('2050-01-01T00:00:00Z')
export const instant = (seconds: number): string => toRfc3339(toUnixSeconds(seconds))

/** All products share these keys; their chains differ in names. `stranger` belongs to no chain. */
export const KEYS = {
  ark: rsaKey('ark'),
  ask: rsaKey('ask'),
  asvk: rsaKey('asvk'),
  stranger: rsaKey('stranger'),
  short: rsaKey('short'),
} as const
export const SERIALS = { ark: 0x20000, ask: 0x20001, asvk: 0x20101 } as const
export const CSP = 'CN=cc.csp.example'

export type CertificateParts = {
  readonly version?: readonly Buffer[]
  readonly serial?: Buffer
  /** A common name after AMD's organisation, or the DER of a whole name. */
  readonly issuer: string | Buffer
  readonly subject: string | Buffer
  readonly validity?: Buffer
  readonly notBefore?: number
  readonly notAfter?: number
  readonly key: KeyObject | Buffer
  readonly extensions: readonly Buffer[]
  /** The parts after the key; absent: the extensions. */
  readonly afterKey?: readonly Buffer[]
  /** The algorithm outside the signed part, if it differs. */
  readonly outer?: Buffer
  /** The parts after that algorithm; absent: the signature. */
  readonly ending?: (signature: Buffer) => readonly Buffer[]
}

/** A Certificate with its TBSCertificate (RFC 5280 §4.1), signed without any check. */
export function certificate(parts: CertificateParts, { algorithm, sign }: SignatureScheme): Buffer {
  const { notBefore = BEGIN, notAfter = END, key, ending = (signature) => [bits(signature)] } = parts
  const tbs = sequence(
    ...(parts.version ?? [explicit(0, integer(2))]),
    parts.serial ?? integer(0),
    algorithm,
    named(parts.issuer),
    parts.validity ?? sequence(time(notBefore), time(notAfter)),
    named(parts.subject),
    Buffer.isBuffer(key) ? key : key.export({ format: 'der', type: 'spki' }),
    ...(parts.afterKey ?? [explicit(3, sequence(...parts.extensions))]),
  )
  return sequence(tbs, parts.outer ?? algorithm, ...ending(sign(tbs)))
}

const named = (name: string | Buffer): Buffer => (Buffer.isBuffer(name) ? name : nameOf(name))

export type Change = Partial<CertificateParts>

export function arkOf(product: Product, change: Change = {}, scheme = pss(KEYS.ark)): Buffer {
  const key = createPublicKey(KEYS.ark)
  const name = `ARK-${product}`
  const extensions = [
    ...authorityExtensions(),
    subjectKeyIdentifier(key),
    crlDistributionPoint(`https://kdsintf.amd.com/vcek/v1/${product}/crl`),
  ]
  return certificate(
    { serial: integer(SERIALS.ark), issuer: name, subject: name, key, extensions, ...change },
    scheme,
  )
}

/** The certificate of an ASK, or for a VLEK of an ASVK. */
export function askOf(
  product: Product,
  kind: SigningKey = 'vcek',
  change: Change = {},
  scheme = pss(KEYS.ark),
): Buffer {
  const key = createPublicKey(kind === 'vcek' ? KEYS.ask : KEYS.asvk)
  const extensions = [
    subjectKeyIdentifier(key),
    authorityKeyIdentifier(createPublicKey(KEYS.ark)),
    ...authorityExtensions(0),
    crlDistributionPoint(`https://kdsintf.amd.com/${kind}/v1/${product}/crl`),
  ]
  const parts = {
    serial: integer(kind === 'vcek' ? SERIALS.ask : SERIALS.asvk),
    issuer: `ARK-${product}`,
    subject: authorityName(product, kind),
    key,
    extensions,
  }
  return certificate({ ...parts, ...change }, scheme)
}

export function authorityName(product: Product, kind: SigningKey): string {
  return kind === 'vcek' ? `SEV-${product}` : `SEV-VLEK-${product}`
}

export function leafKey(product: Product, kind: SigningKey = 'vcek'): EcKey {
  return ecKey(`${product} ${kind}`)
}

export function hardwareIdOf(product: Product): Buffer {
  return seeded(`${product} hardware id`)(HARDWARE_ID_BYTES[product])
}

/**
 * AMD's extensions of a leaf, in AMD's order. The last is the hardware id of a VCEK or the CSP_ID of a VLEK.
 */
export type LeafRow = readonly [oid: string, value: Buffer]

export function leafRows(
  product: Product,
  kind: SigningKey = 'vcek',
  tcb: Tcb = tcbOf(product),
): readonly LeafRow[] {
  const levels: Partial<Record<keyof typeof SPL_OID, number>> = tcb
  return [
    [AMD_OID.structVersion, integer(TCB_LAYOUTS[product].structVersion)],
    [AMD_OID.productName, ia5(product === 'Milan' && kind === 'vcek' ? 'Milan-B0' : product)],
    ...SPL_ROWS[product].map((row) => [SPL_OID[row], integer(levels[row] ?? 0)] as const),
    kind === 'vcek' ? [AMD_OID.hardwareId, hardwareIdOf(product)] : [AMD_OID.cspId, ia5(CSP)],
  ]
}

export const extensionsOf = (rows: readonly LeafRow[]): readonly Buffer[] =>
  rows.map(([oid, value]) => extension(oid, value))

/** The certificate of a VCEK or VLEK. */
export function leafOf(
  product: Product,
  kind: SigningKey = 'vcek',
  change: Change & { readonly tcb?: Tcb; readonly rows?: readonly LeafRow[] } = {},
  scheme = pss(kind === 'vcek' ? KEYS.ask : KEYS.asvk),
): Buffer {
  const { tcb, rows = leafRows(product, kind, tcb), ...parts } = change
  return certificate(
    {
      issuer: authorityName(product, kind),
      subject: kind === 'vcek' ? 'SEV-VCEK' : 'SEV-VLEK',
      notAfter: LEAF_END,
      key: leafKey(product, kind).publicKey,
      extensions: extensionsOf(rows),
      ...parts,
    },
    scheme,
  )
}

/** Replaces the values of a row by these. Without values, the row is removed. */
export function replaced(
  rows: readonly LeafRow[],
  oid: string,
  ...values: readonly Buffer[]
): readonly LeafRow[] {
  return [...rows.filter(([name]) => name !== oid), ...values.map((value) => [oid, value] as const)]
}

export const MEASUREMENT = 'a5'.repeat(48)

export function platformOf(product: Product, input: Partial<PlatformInput> = {}): Platform {
  const wanted = { product, version: product === 'Turin' ? 5 : 3, measurement: MEASUREMENT, ...input }
  const platform = checkShape(PlatformSchema, wanted, 'platform', 'config.invalid')
  return { ...platform, hardwareId: platform.hardwareId ?? hardwareIdOf(product).toString('hex') }
}

export function tcbOf(product: Product): Tcb {
  return platformOf(product).tcb.reported
}

export type ReportChange = {
  readonly platform?: Partial<PlatformInput>
  readonly vmpl?: number
  /** Changes the report before its signature. By default the endorsed key signs it. */
  readonly change?: (bytes: Buffer) => void
  readonly key?: EcKey
  /** Changes the report after its signature. */
  readonly tamper?: (bytes: Buffer) => void
}

export function reportOf(product: Product, changes: ReportChange = {}): Buffer {
  const platform = platformOf(product, changes.platform)
  const key = changes.key ?? leafKey(product, platform.signingKey)
  const request = { reportData: Buffer.alloc(64, 0x5a), vmpl: changes.vmpl ?? 0 }
  // The signature of the laboratory is random and is replaced below.
  const report = mintReport(platform, request, fromHex('01'.repeat(32)), key.privateKey)
  changes.change?.(report)
  signReport(report, key)
  changes.tamper?.(report)
  return report
}

export function rootOf(product: Product, ...kinds: readonly SigningKey[]): RootRow {
  return {
    product,
    ark: toBase64url(arkOf(product)),
    ...(kinds.includes('vcek') ? { ask: toBase64url(askOf(product)) } : {}),
    ...(kinds.includes('vlek') ? { asvk: toBase64url(askOf(product, 'vlek')) } : {}),
  }
}
