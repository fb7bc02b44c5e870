/** A policy in a file: a draft that people write, or one that was signed. */
import { readFileUpTo } from '#adapters/system/files.ts'
import { fromBase64url } from '#core/bytes.ts'
import { parseJson, shapeProblems } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { type GeneralJws, parseGeneral } from '#core/jws.ts'
import { maxStoredBytes } from '#core/policy/document.ts'
import { POLICY, type Policy, PolicySchema } from '#core/policy/policy.ts'
import { policyProblems } from '#core/policy/policyCheck.ts'
import { isPlaceholder } from './form.ts'

export type PolicyFile = {
  /** Undefined for a draft. */
  readonly signed: GeneralJws | undefined
  /** As the file has it, of any shape. */
  readonly value: unknown
}

/** Throws `input.unreadable`, and `policy.malformed` for what is not JSON or not a signed document. */
export async function readPolicyFile(path: string): Promise<PolicyFile> {
  const bytes = await readFileUpTo(path, maxStoredBytes(POLICY), 'input.unreadable')
  const value = under('policy.malformed', () => parseJson(bytes, path))
  const isSigned = typeof value === 'object' && value !== null && 'signatures' in value
  if (!isSigned) return { signed: undefined, value }
  const signed = parseGeneral(bytes, 'policy.malformed')
  const payload = under('policy.malformed', () => fromBase64url(signed.payload, 'payload'))
  return { signed, value: under('policy.malformed', () => parseJson(payload, 'payload')) }
}

/** What is wrong with a policy: with its form, or with what it says. */
export type Findings = { readonly form: readonly string[]; readonly rules: readonly string[] }

/**
 * Every problem at once. A rule needs the whole form, so `rules` is empty if `form` is not. The Verifier's
 * settings are taken to be the policy's own.
 */
export function findingsOf(value: unknown): Findings {
  const open = placeholdersIn(value, [])
  if (open.length > 0) return { form: open, rules: [] }
  const form = shapeProblems(PolicySchema, value, 'operator')
  if (form.length > 0) return { form, rules: [] }
  const policy = PolicySchema.parse(value)
  const { simulation } = policy
  return { form, rules: policyProblems(policy, { simulation, vaultOnLoopback: simulation }) }
}

/** Throws `policy.malformed` or `policy.unsuitable`, with every problem. */
export function policyIn({ value }: Pick<PolicyFile, 'value'>, path: string): Policy {
  const { form, rules } = findingsOf(value)
  if (form.length > 0) throw new CodedError('policy.malformed', `${path} is not a policy: ${form.join('; ')}`)
  if (rules.length > 0) throw new CodedError('policy.unsuitable', `${path} breaks rules: ${rules.join('; ')}`)
  return PolicySchema.parse(value)
}

function placeholdersIn(value: unknown, path: readonly string[]): readonly string[] {
  if (isPlaceholder(value)) return [`${path.join('.')}: still to be filled in: ${value.slice(1, -1)}`]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => placeholdersIn(member, [...path, key]))
}
