/**
 * The reference values of a policy as a schema, derived from their one grammar
 * (core/appraisal/referenceGrammar.ts).
 */
import { z } from 'zod'
import type { Grammar, ValueOf } from '../appraisal/grammar.ts'
import type { Reference } from '../appraisal/reference.ts'
import { POLICY_REFERENCE } from '../appraisal/referenceGrammar.ts'
import { base64urlBytes } from '../fields.ts'

/** As `Reference`, with nothing left open about the software. */
export type PolicyReference = Reference & {
  readonly measurements: readonly string[]
  readonly trust: readonly string[]
}
export const PolicyReferenceSchema: z.ZodType<PolicyReference> = schemaOf(POLICY_REFERENCE)

function schemaOf<const G extends Grammar>(grammar: G): z.ZodType<ValueOf<G>> {
  // `untypedSchemaOf` follows the grammar case by case, as ValueOf does.
  return untypedSchemaOf(grammar) as z.ZodType<ValueOf<G>>
}

function untypedSchemaOf(grammar: Grammar): z.ZodType {
  switch (grammar.kind) {
    case 'whole':
      return z.int().min(grammar.min).max(grammar.max)
    case 'words':
      return z.enum(grammar.words)
    case 'text':
      return grammar.patterns.reduce((text, { pattern, must }) => text.regex(pattern, must), z.string())
    case 'bytes':
      return base64urlBytes(grammar.min, grammar.max)
    case 'list':
      return z.array(untypedSchemaOf(grammar.of)).min(grammar.min).max(grammar.max)
    case 'record': {
      const fields = Object.entries(grammar.fields)
      return z.strictObject(Object.fromEntries(fields.map(([name, field]) => [name, untypedSchemaOf(field)])))
    }
    case 'either':
      return z.union(grammar.of.map(untypedSchemaOf))
    case 'optional':
      return untypedSchemaOf(grammar.of).optional()
  }
}
