/** The conformance case v1 (docs/conformance.md): all that a verdict depends on in one JSON value. */
import { z } from 'zod'
import { type Evidence, type Judgement, judge, refuseCase } from '../appraisal/judgement.ts'
import type { ReferenceChoice } from '../appraisal/referenceChoice.ts'
import { fromBase64url } from '../bytes.ts'
import { checkShape, parseJson } from '../canonical.ts'
import { CodedError } from '../errors/report.ts'
import { under } from '../errors.ts'
import { base64urlBytes, version1 } from '../fields.ts'
import type { TrustStore } from '../snp/chain.ts'
import { PRODUCTS, type Product } from '../snp/product.ts'
import { arkFingerprint, PINNED_ARKS, type RootEntry } from '../snp/roots.ts'
import { parseRfc3339 } from '../time.ts'
import { ReferenceSchema } from './referenceSchema.ts'

export const MAX_CASE_BYTES = 4 * 1024 * 1024

/** Above what the verifier takes, so that its own limits are what a case meets. */
const bytes = base64urlBytes(0, 2 * 1024 * 1024)

const CaseSchema = z.strictObject({
  v: version1,
  name: z.string().max(200),
  report: bytes,
  /** The leaf first. */
  certs: z.array(bytes).max(16),
  /** Absent: AMD's own. */
  roots: z
    .array(
      z.strictObject({
        product: z.enum(PRODUCTS),
        ark: bytes,
        ask: bytes.optional(),
        asvk: bytes.optional(),
      }),
    )
    .max(16)
    .optional(),
  crls: z.array(bytes).max(16),
  /** `strict`: the built-in reference values. `none`: authenticity alone. */
  reference: z.union([z.literal(['strict', 'none']), ReferenceSchema]),
  at: z.string(),
  /** What a suite expects; nothing here reads it. */
  expect: z
    .strictObject({
      verdict: z.enum(['accepted', 'authentic', 'refused']),
      codes: z.array(z.string()).max(64),
    })
    .optional(),
})

/** Exit 2 and `case.malformed` for what is not of the form; else as `judge`. */
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
  const value = under('case.malformed', () => parseJson(text, 'the case'))
  const { report, certs, roots, crls, reference, at } = checkShape(
    CaseSchema,
    value,
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
    at: under('case.malformed', () => parseRfc3339(at, 'at')),
  }
}

/** What is not AMD's own of its product, by its fingerprint, is a simulated root. */
function rootEntry(product: Product, ark: Buffer): RootEntry {
  return { product, ark, simulated: arkFingerprint(ark) !== PINNED_ARKS[product] }
}

function choiceOf(reference: z.output<typeof CaseSchema>['reference']): ReferenceChoice {
  if (reference === 'none' || reference === 'strict') return { kind: reference }
  return { kind: 'given', reference }
}
