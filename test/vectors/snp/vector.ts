/**
 * A vector is a conformance case with what is expected of it (docs/conformance.md). A file holds the cases of one area: what they
 * share, chains and reference values above all, is written once, in `common`, and each case is a JSON Merge Patch (RFC 7386) of it.
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
  /** Absent: AMD's own. */
  readonly roots?: readonly RootRow[]
  readonly crls: readonly Bytes[]
  /** What is not of the form of a reference is what some vectors are about. */
  readonly reference: 'strict' | 'none' | Reference | Readonly<Record<string, unknown>>
  /** RFC 3339. */
  readonly at: string
  readonly expect: {
    readonly verdict: 'accepted' | 'authentic' | 'refused'
    /** All of them, in their order. */
    readonly codes: readonly ErrorCode[]
  }
}

export type Area = {
  readonly area: string
  readonly common: Readonly<Record<string, Json>>
  readonly cases: readonly Readonly<Record<string, Json>>[]
}

/** `common` is what the first case says. */
export function areaOf(area: string, cases: readonly Case[]): Area {
  const [first] = cases
  if (first === undefined) throw new RangeError(`${area} has no case`)
  const { name: _name, expect: _expect, ...common } = jsonOf(first)
  return { area, common, cases: cases.map((row) => patchOf(common, jsonOf(row))) }
}

/** What a conformance run takes. */
export function casesOf({ common, cases }: Area): readonly Json[] {
  return cases.map((row) => merged(common, row))
}

type Members = Readonly<Record<string, Json>>

/** As it will be read: without the fields that are undefined. */
function jsonOf(row: Case): Members {
  return JSON.parse(JSON.stringify(row))
}

/** RFC 7386. */
function merged(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  return result
}

/** The least patch that makes `row` of `common`. */
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
