/**
 * Any governance document in a file: a policy, verifier keys, a revocation list or a consent list, as a draft
 * or signed. The steps of signing and publishing are the same for all.
 */

import type { z } from 'zod'
import { readFileUpTo } from '#adapters/system/files.ts'
import type { GovernConfig } from '#cli/config.ts'
import { sayConsent } from '#cli/consent/text.ts'
import { fromBase64url, sha256, toBase64url } from '#core/bytes.ts'
import { parseJson, shapeProblems } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import {
  type GeneralJws,
  parseGeneral,
  type QuorumRoot,
  type RootKey,
  type Signer,
  signersOf,
  signGeneral,
} from '#core/jws.ts'
import { type Consent, ConsentSchema, consentKind } from '#core/policy/consent.ts'
import { type Kind, maxStoredBytes } from '#core/policy/document.ts'
import type { Freshness } from '#core/policy/freshness.ts'
import type { Governance } from '#core/policy/inForce.ts'
import { documentName } from '#core/policy/objectName.ts'
import { POLICY, type Policy, PolicySchema } from '#core/policy/policy.ts'
import { policyProblems } from '#core/policy/policyCheck.ts'
import { REVOCATION, type Revocation, RevocationSchema } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys, VerifierKeysSchema } from '#core/policy/verifierKeys.ts'
import { diffPolicies } from './diff.ts'
import { renderDiff } from './diffText.ts'
import { sayPolicy } from './say.ts'
import { sayRevocation, sayVerifierKeys } from './sayOthers.ts'

/** A document that has its form, with what the steps of its life need. */
export type OpenDocument = {
  readonly what: 'policy' | 'verifier keys' | 'revocation list' | 'consent list'
  /** Of its object. */
  readonly name: string
  readonly seq: number
  readonly digest: string
  readonly content: { readonly tenant: string; readonly audience: string; readonly issuedAt: number }
  /** Undefined for a draft. */
  readonly signed: GeneralJws | undefined
  /** The seconds at which it ends; never, for a list. */
  readonly ends: number | undefined
  /** How many persons must have signed it. */
  readonly threshold: number
  /** The highest number in force of its kind, which its own must exceed. */
  readonly predecessor: (inForce: Governance) => number
  readonly isInForce: (inForce: Governance) => boolean
  /** `before`: what was in force before it was published. */
  readonly isStated: (statement: Freshness, before: Governance) => boolean
  /** The rules that it breaks. */
  readonly problems: () => readonly string[]
  /** What it says, and what it changes. */
  readonly text: (inForce: Governance) => string
  readonly sign: (signer: Signer) => Promise<GeneralJws>
  /** Throws `policy.unsuitable` if a signature of the root does not verify. */
  readonly signers: (signed: GeneralJws) => readonly RootKey[]
}

type Row<T> = {
  readonly what: OpenDocument['what']
  readonly kind: Kind<T>
  readonly schema: z.ZodType<T>
  /** A field that only this kind has. */
  readonly field: string
  readonly ends: (content: T) => number | undefined
  readonly quorum: (content: T, root: QuorumRoot) => number
  readonly predecessor: OpenDocument['predecessor']
  readonly isInForce: (inForce: Governance, digest: string) => boolean
  /** Of a list the statement has only how many there are: `count` with this one. */
  readonly isStated: (statement: Freshness, digest: string, count: number) => boolean
  /** How many lists were known before; 0 for what is no list. */
  readonly known: (before: Governance) => number
  readonly problems: (content: T, config: GovernConfig) => readonly string[]
  readonly text: (content: T, inForce: Governance) => string
}
/** Both lists have `replaces`; only a consent list has this. */
const CONSENT_FIELD = 'list'

type Content = OpenDocument['content'] & { readonly seq: number }
type Opening = { readonly value: unknown; readonly signed: GeneralJws | undefined; readonly path: string }

const policy: Row<Policy> = {
  what: 'policy',
  kind: POLICY,
  schema: PolicySchema,
  field: 'datasets',
  ends: ({ expiresAt }) => expiresAt,
  quorum: (_content, { threshold }) => threshold,
  predecessor: (inForce) => inForce.policy?.seq ?? 0,
  isInForce: (inForce, digest) => inForce.policy?.document?.digest === digest,
  isStated: (statement, digest) => statement.policy.digest === digest,
  known: () => 0,
  problems: (content, { trust: { simulation } }) =>
    policyProblems(content, { simulation, vaultOnLoopback: simulation }),
  text: (content, inForce) => {
    const before = inForce.policy?.document?.content
    const said = sayPolicy(content)
    return before === undefined
      ? `${said}\nNo policy is in force before it.\n`
      : `${said}\nAGAINST WHAT IS IN FORCE\n\n${renderDiff(before, content, diffPolicies(before, content))}`
  },
}

const verifierKeys: Row<VerifierKeys> = {
  what: 'verifier keys',
  kind: VERIFIER_KEYS,
  schema: VerifierKeysSchema,
  field: 'grantCa',
  ends: ({ exp }) => exp,
  quorum: (_content, { threshold }) => threshold,
  predecessor: (inForce) => inForce.verifierKeys?.seq ?? 0,
  isInForce: (inForce, digest) => inForce.verifierKeys?.document?.digest === digest,
  isStated: (statement, digest) => statement.verifierKeys.digest === digest,
  known: () => 0,
  problems: ({ issuedAt, exp }) => (issuedAt < exp ? [] : ['exp is not after issuedAt']),
  text: (content, inForce) => sayVerifierKeys(content, inForce.verifierKeys?.document?.content),
}

const revocation: Row<Revocation> = {
  what: 'revocation list',
  kind: REVOCATION,
  schema: RevocationSchema,
  field: 'replaces',
  ends: () => undefined,
  // One signer revokes; only a quorum takes back.
  quorum: ({ replaces }, { threshold }) => (replaces.length === 0 ? 1 : threshold),
  predecessor: () => 0,
  isInForce: ({ revocation: { lists } }, digest) => lists.some((list) => list.digest === digest),
  isStated: (statement, _digest, count) => statement.revocation.seq >= count,
  known: ({ revocation }) => revocation.seq,
  problems: () => [],
  text: (content, inForce) => sayRevocation(content, inForce.revocation),
}

/** By a quorum: what one consent key signs is signed and published at once (`consent withdraw`). */
const consent = (dataset: string): Row<Consent> => ({
  what: 'consent list',
  kind: consentKind(dataset),
  schema: ConsentSchema,
  field: CONSENT_FIELD,
  ends: () => undefined,
  quorum: (_content, { threshold }) => threshold,
  predecessor: () => 0,
  isInForce: (inForce, digest) =>
    inForce.consent.get(dataset)?.lists.some((list) => list.digest === digest) === true,
  isStated: (statement, _digest, count) => (statement.consent[dataset]?.seq ?? 0) >= count,
  known: (before) => before.consent.get(dataset)?.seq ?? 0,
  problems: () => [],
  text: sayConsent,
})

/** Throws `input.unreadable`, and `policy.malformed` with every problem of its form. */
export async function readDocumentFile(path: string, config: GovernConfig): Promise<OpenDocument> {
  const bytes = await readFileUpTo(path, maxStoredBytes(REVOCATION), 'input.unreadable')
  const value = under('policy.malformed', () => parseJson(bytes, path))
  if (!hasField(value, 'signatures')) return openDocument({ value, signed: undefined, path }, config)
  const signed = parseGeneral(bytes, 'policy.malformed')
  const payload = under('policy.malformed', () => fromBase64url(signed.payload, 'payload'))
  return openDocument(
    { value: under('policy.malformed', () => parseJson(payload, path)), signed, path },
    config,
  )
}

export function openDocument(opening: Opening, config: GovernConfig): OpenDocument {
  const { value, path } = opening
  if (hasField(value, policy.field)) return open(policy, opening, config)
  if (hasField(value, verifierKeys.field)) return open(verifierKeys, opening, config)
  if (hasField(value, CONSENT_FIELD)) return open(consent(datasetIn(value)), opening, config)
  if (hasField(value, revocation.field)) return open(revocation, opening, config)
  throw new CodedError(
    'policy.malformed',
    `${path} is no policy, verifier keys, revocation list or consent list`,
  )
}

function open<T extends Content>(
  row: Row<T>,
  { value, signed, path }: Opening,
  config: GovernConfig,
): OpenDocument {
  const { what, kind, schema } = row
  const form = shapeProblems(schema, value, 'operator')
  if (form.length > 0) throw new CodedError('policy.malformed', `${path}: the ${what}: ${form.join('; ')}`)
  const content = schema.parse(value)
  const payload = kind.format.encode(content)
  const encoded = toBase64url(payload)
  // Otherwise people would be shown another document than the one that they sign.
  if (signed !== undefined && signed.payload !== encoded)
    throw new CodedError('policy.malformed', `${path}: the payload is not canonical JSON`)
  const root = config.trust.providerRoot
  const digest = toBase64url(sha256(payload))
  return {
    what,
    name: documentName(kind.folder, content.seq, payload),
    seq: content.seq,
    digest,
    content,
    signed,
    ends: row.ends(content),
    threshold: row.quorum(content, root),
    predecessor: row.predecessor,
    isInForce: (inForce) => row.isInForce(inForce, digest),
    // Published before, it is counted already.
    isStated: (statement, before) =>
      row.isStated(statement, digest, row.known(before) + (row.isInForce(before, digest) ? 0 : 1)),
    problems: () => row.problems(content, config),
    text: (inForce) => row.text(content, inForce),
    sign: (signer) => signGeneral(kind.format, content, [signer]),
    signers: (jws) => signersOf(kind.format, jws, root, 'policy.unsuitable'),
  }
}

/** For the folder; the schema then checks it. */
function datasetIn(value: unknown): string {
  const dataset: unknown = hasField(value, 'dataset') ? Reflect.get(Object(value), 'dataset') : ''
  return typeof dataset === 'string' ? dataset : ''
}

function hasField(value: unknown, field: string): boolean {
  return typeof value === 'object' && value !== null && field in value
}
