/**
 * A vector is a conformance case with its expected verdict (docs/conformance.md). A file contains the cases
 * of one area. Values that they share, mostly chains and reference values, are in `common`; each case is a
 * JSON Merge Patch (RFC 7386) of `common`.
 */
import type { Reference } from '#core/appraisal/reference.ts'
import type { Json } from '#core/canonical.ts'
import type { ErrorCode } from '#core/errors.ts'
import type { Product } from '#core/snp/product.ts'

type Bytes = string // unpadded base64url

export type RootRow = {
  readonly product: Product
  readonly ark: Bytes
  readonly ask?: Bytes
  readonly asvk?: Bytes
}

export type Case = {
  readonly v: 1
  readonly name: string
  readonly report: Bytes
  /** DER, the leaf first. */
  readonly certs: readonly Bytes[]
  /** Absent: AMD's own roots. */
  readonly roots?: readonly RootRow[]
  readonly crls: readonly Bytes[]
  /** Any JSON, since some vectors are about malformed reference values. */
  readonly reference: 'strict' | 'none' | Reference | Readonly<Record<string, unknown>>
  /** RFC 3339. */
  readonly at: string
  readonly expect: {
    readonly verdict: 'accepted' | 'authentic' | 'refused'
    /** All codes, in their order. */
    readonly codes: readonly ErrorCode[]
  }
}

export type Area = {
  readonly area: string
  readonly common: Readonly<Record<string, Json>>
  readonly cases: readonly Readonly<Record<string, Json>>[]
}

/** An area whose `common` is the content of its first case. */
export function areaOf(area: string, cases: readonly Case[]): Area {
  const [first] = cases
  if (first === undefined) throw new RangeError(`${area} has no case`)
  const { name: _name, expect: _expect, ...common } = jsonOf(first)
  return { area, common, cases: cases.map((row) => patchOf(common, jsonOf(row))) }
}

/** The cases of an area as a conformance run reads them. */
export function casesOf({ common, cases }: Area): readonly Json[] {
  return cases.map((row) => merged(common, row))
}

type Members = Readonly<Record<string, Json>>

/** The case after encoding: without undefined fields. */
function jsonOf(row: Case): Members {
  return JSON.parse(JSON.stringify(row))
}

/** Applies a JSON Merge Patch (RFC 7386). */
function merged(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  return result
}

/** The smallest patch that turns `common` into `row`. */
function patchOf(common: Members, row: Members): Members {
  const changed = Object.entries(row).flatMap(([name, value]) => {
    const before = common[name]
    if (JSON.stringify(before) === JSON.stringify(value)) return []
    return [[name, isObject(before) && isObject(value) ? patchOf(before, value) : value] as const]
  })
  const gone = Object.keys(common).filter((name) => !Object.hasOwn(row, name))
  return Object.fromEntries([...changed, ...gone.map((name) => [name, null] as const)])
}

function isObject(value: Json | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
