/** Builds a case from its differences to the usual case. */
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { FIELDS, type FieldName, type SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import type { Case, RootRow } from './vector.ts'
import { AT, instant, leafOf, type ReportChange, reportOf, rootOf } from './world.ts'

export type Choice = ReportChange & {
  /** By default Genoa with a VCEK, under a root that has ASK and ASVK. */
  readonly product?: Product
  readonly kind?: SigningKey
  readonly report?: Buffer
  readonly certs?: readonly Buffer[]
  readonly roots?: readonly RootRow[]
  readonly crls?: readonly Buffer[]
  readonly reference?: Case['reference']
  /** RFC 3339, or seconds since the epoch. */
  readonly at?: string | number
}

const leaves = new Map<string, Buffer>()
const rows = new Map<string, RootRow>()

export function usualLeaf(product: Product, kind: SigningKey): Buffer {
  return onceIn(leaves, `${product} ${kind}`, () => leafOf(product, kind))
}

export function usualRoot(product: Product, ...kinds: readonly SigningKey[]): RootRow {
  return onceIn(rows, `${product} ${kinds}`, () => rootOf(product, ...kinds))
}

function onceIn<T>(made: Map<string, T>, key: string, make: () => T): T {
  const value = made.get(key) ?? make()
  made.set(key, value)
  return value
}

function caseOf(
  name: string,
  verdict: Case['expect']['verdict'],
  codes: readonly ErrorCode[],
  choice: Choice,
): Case {
  const { product = 'Genoa', kind = 'vcek', at = AT, reference = 'none', crls = [] } = choice
  const { certs = [usualLeaf(product, kind)], roots = [usualRoot(product, 'vcek', 'vlek')] } = choice
  const platform = { signingKey: kind, ...choice.platform }
  return {
    v: 1,
    name,
    report: toBase64url(choice.report ?? reportOf(product, { ...choice, platform })),
    certs: certs.map(toBase64url),
    roots,
    crls: crls.map(toBase64url),
    reference,
    at: typeof at === 'number' ? instant(at) : at,
    expect: { verdict, codes },
  }
}

export function authentic(name: string, choice: Choice = {}): Case {
  return caseOf(name, 'authentic', [], choice)
}

export function accepted(name: string, choice: Choice): Case {
  return caseOf(name, 'accepted', [], choice)
}

export function refused(name: string, codes: ErrorCode | readonly ErrorCode[], choice: Choice): Case {
  return caseOf(name, 'refused', typeof codes === 'string' ? [codes] : codes, choice)
}

/** Writes one byte into a field; the index counts from the start of the field. */
export function put(field: FieldName, byte: number, value: number): (bytes: Buffer) => void {
  return putAt(FIELDS[field].at + byte, value)
}

export function putAt(at: number, value: number): (bytes: Buffer) => void {
  return (bytes) => void bytes.writeUInt8(value, at)
}

/** Fills a field with these bytes, repeated. */
export function fill(field: FieldName, ...values: readonly number[]): (bytes: Buffer) => void {
  const { at, size } = FIELDS[field]
  return (bytes) => void bytes.fill(Buffer.from(values), at, at + size)
}
