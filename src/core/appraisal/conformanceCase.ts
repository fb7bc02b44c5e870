/**
 * The conformance case v1 (docs/conformance.md): one JSON value with everything that a verdict depends on.
 */
import { fromBase64url, fromUtf8 } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import type { TrustStore } from '../snp/chain.ts'
import { PRODUCTS, type Product } from '../snp/product.ts'
import { arkFingerprint, PINNED_ARKS, type RootEntry } from '../snp/roots.ts'
import { parseRfc3339, type UnixSeconds } from '../time.ts'
import {
  base64url,
  either,
  list,
  matching,
  optional,
  readAs,
  record,
  type ValueOf,
  whole,
  words,
} from './grammar.ts'
import { type Evidence, type Judgement, judge, refuseCase } from './judgement.ts'
import type { ReferenceChoice } from './referenceChoice.ts'
import { REFERENCE } from './referenceGrammar.ts'

export const MAX_CASE_BYTES = 4 * 1024 * 1024

/** Above the limits of the verifier, so that a case can reach them. */
const bytes = base64url(0, 2 * 1024 * 1024)
const text = matching()

const CASE = record({
  v: whole(1, 1),
  name: matching({ pattern: /^[\s\S]{0,200}$/, must: 'must have at most 200 characters' }),
  report: bytes,
  /** The leaf first. */
  certs: list(bytes, 0, 16),
  /** Absent: AMD's own. */
  roots: optional(
    list(
      record({ product: words(...PRODUCTS), ark: bytes, ask: optional(bytes), asvk: optional(bytes) }),
      0,
      16,
    ),
  ),
  crls: list(bytes, 0, 16),
  /** `strict`: the built-in reference values. `none`: authenticity only. */
  reference: either(words('strict', 'none'), REFERENCE),
  at: text,
  /** The expectation of a suite; the verifier ignores it. */
  expect: optional(record({ verdict: words('accepted', 'authentic', 'refused'), codes: list(text, 0, 64) })),
})

/**
 * Judges one case, as UTF-8 JSON of at most 4 MiB. `amd` holds AMD's roots, for a case without roots of its
 * own.
 *
 * Never throws for what is in the case: exit 2 and `case.malformed` if it does not follow the form, else as
 * `judge`.
 */
export function judgeCase(text: Uint8Array, amd: TrustStore): Judgement {
  let evidence: Evidence
  try {
    evidence = parseCase(text)
  } catch (error) {
    if (error instanceof CodedError) return refuseCase(error)
    throw error
  }
  return judge(evidence, amd)
}

/** Throws `case.malformed`. */
function parseCase(text: Uint8Array): Evidence {
  if (text.byteLength > MAX_CASE_BYTES)
    throw new CodedError('case.malformed', `the case has more than ${MAX_CASE_BYTES} bytes`)
  const { report, certs, roots, crls, reference, at } = readAs(
    CASE,
    parseJson(text),
    'the case',
    'case.malformed',
  )
  return {
    report: fromBase64url(report),
    chains: [certs.map((der) => fromBase64url(der))],
    roots: roots?.map((row) => ({
      ...rootEntry(row.product, fromBase64url(row.ark)),
      ask: row.ask === undefined ? undefined : fromBase64url(row.ask),
      asvk: row.asvk === undefined ? undefined : fromBase64url(row.asvk),
    })),
    crls: crls.map((der) => fromBase64url(der)),
    reference: choiceOf(reference),
    at: parseTime(at),
  }
}

function parseJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(text))
  } catch (cause) {
    throw new CodedError('case.malformed', 'the case is not JSON in UTF-8', { cause })
  }
}

function parseTime(text: string): UnixSeconds {
  try {
    return parseRfc3339(text, 'at')
  } catch (cause) {
    if (cause instanceof CodedError) throw new CodedError('case.malformed', cause.message, { cause })
    throw cause
  }
}

/** A root is simulated unless its fingerprint is that of AMD's own for the product. */
function rootEntry(product: Product, ark: Uint8Array): RootEntry {
  return { product, ark, simulated: arkFingerprint(ark) !== PINNED_ARKS[product] }
}

function choiceOf(reference: ValueOf<typeof CASE>['reference']): ReferenceChoice {
  if (reference === 'none' || reference === 'strict') return { kind: reference }
  return { kind: 'given', reference }
}
