/** The options of `policy init`, as the answers to the form. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import type { z } from 'zod'
import { readFileUpTo } from '#adapters/system/files.ts'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { audience, name, purpose } from '#core/fields.ts'
import { exportJwk, P256Jwk, P384Jwk, SigningJwk } from '#core/jwk.ts'
import type { Policy } from '#core/policy/policy.ts'
import { PolicyReferenceSchema } from '#core/policy/referenceSchema.ts'
import { TERMS } from '#core/policy/terms.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import type { Answers } from './form.ts'
import { atBench } from './governance.ts'
import { wrapNewIdKey } from './identityKey.ts'

export type InitOptions = {
  readonly out: string
  readonly from?: string
  readonly next?: boolean
  readonly days: string
  readonly tenant?: string
  readonly audience?: string
  readonly client?: string
  readonly dataset?: string
  readonly purpose: string
  readonly permission?: string
  readonly scope: readonly string[]
  readonly reference: readonly string[]
  readonly workload?: string
  readonly keyId?: string
  readonly clientKey?: string
  readonly auditKey?: string
  readonly sealingKey?: string
  readonly recipient?: string
  readonly simulatedRoot?: string
  readonly identityKey?: string
  readonly consentKey?: string
  readonly consentVaultKey?: string
  readonly config?: string
}

const MAX_FILE_BYTES = 64 * 1024
const LONGEST_LIFE_DAYS = 90

/** Throws `usage.invalid`, `input.unreadable`, and `policy.malformed` for a file that is not what it should be. */
export async function answersOf(
  options: InitOptions,
  { now, days }: { readonly now: number; readonly days: number },
): Promise<Answers> {
  const client = given('--client', options.client, name)
  const dataset = given('--dataset', options.dataset, name)
  return {
    now,
    days,
    tenant: given('--tenant', options.tenant, name),
    audience: given('--audience', options.audience, audience),
    client,
    dataset,
    purpose: given('--purpose', options.purpose, purpose),
    permission: given('--permission', options.permission ?? `${client}-${dataset}`, name),
    scopes: options.scope.length === 0 ? undefined : options.scope,
    simulation: await ifGiven(options.simulatedRoot, simulatedRoot),
    referenceValues:
      options.reference.length === 0
        ? undefined
        : await Promise.all(options.reference.map((path) => readJson(path, PolicyReferenceSchema))),
    workload: options.workload === undefined ? undefined : workloadOf(options.workload),
    keyIds: options.keyId === undefined ? undefined : [options.keyId],
    clientKeys: await ifGiven(options.clientKey, async (path) => [await readKey(path, P384Jwk)]),
    auditKey: await ifGiven(options.auditKey, (path) => readKey(path, P256Jwk)),
    sealingKeys: await ifGiven(options.sealingKey, async (path) => [await readKey(path, SigningJwk)]),
    idKey: await ifGiven(options.identityKey, (keyId) => identityKey(keyId, dataset, options)),
    consent: await consentFor(options),
    recipient: await ifGiven(options.recipient, (path) => readJson(path, TERMS.recipient)),
  }
}

export function daysOf(text: string): number {
  const days = /^[1-9]\d?$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= LONGEST_LIFE_DAYS) return days
  throw usage('--days', text, `1 to ${LONGEST_LIFE_DAYS}`)
}

/** `<name>@<hex SHA-256>`, as in the worker's trust anchors. */
export function workloadOf(anchor: string): NonNullable<Answers['workload']> {
  const [, workload = '', digest = ''] = /^([a-z0-9][a-z0-9.-]{0,63})@([0-9a-f]{64})$/.exec(anchor) ?? []
  if (workload === '') throw usage('--workload', anchor, '<name>@<hex SHA-256>')
  return { name: workload, digest: toBase64url(Buffer.from(digest, 'hex')), parameters: {} }
}

function given(option: string, text: string | undefined, field: z.ZodType<string>): string {
  if (text === undefined) throw new CodedError('usage.invalid', `${option} is missing, or --from, or --next`)
  const { error } = field.safeParse(text)
  if (error !== undefined) throw usage(option, text, `that it ${error.issues[0]?.message}`)
  return text
}

export async function ifGiven<T>(
  path: string | undefined,
  read: (path: string) => Promise<T>,
): Promise<T | undefined> {
  return path === undefined ? undefined : await read(path)
}

/** The policy in force. Throws `policy.unsuitable` if there is none. */
export async function policyInForce({ config }: Pick<InitOptions, 'config'>): Promise<Policy> {
  if (config === undefined) throw new CodedError('usage.invalid', '--next needs --config, for the bucket')
  return await atBench({ config, command: 'policy init' }, async ({ look }) => {
    const { policy } = (await look()).inForce
    if (policy?.document?.content !== undefined) return policy.document.content
    throw new CodedError('policy.unsuitable', policy?.problem || 'no policy is in force')
  })
}

/** Both or neither: who may withdraw patients, and the Vault key of their lists. */
async function consentFor({ consentKey, consentVaultKey }: InitOptions): Promise<Answers['consent']> {
  if (consentKey === undefined && consentVaultKey === undefined) return undefined
  if (consentKey === undefined || consentVaultKey === undefined)
    throw new CodedError('usage.invalid', '--consent-key and --consent-vault-key are given both or neither')
  return { keys: [await readKey(consentKey, SigningJwk)], keyIds: [consentVaultKey] }
}

async function identityKey(keyId: string, dataset: string, { config, tenant = '' }: InitOptions) {
  if (config === undefined)
    throw new CodedError('usage.invalid', '--identity-key needs --config, for the Vault that wraps the key')
  return await atBench({ config, command: 'policy init' }, ({ services }) =>
    wrapNewIdKey(services.keyVault(), keyId, { tenant, dataset }),
  )
}

/** A public key in PEM, or `{"jwk"}` as JSON. */
export async function readKey<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const bytes = await readFileUpTo(path, MAX_FILE_BYTES, 'input.unreadable')
  return checkShape(schema, jwkIn(bytes, path), path, 'policy.malformed', 'operator')
}

function jwkIn(bytes: Buffer, path: string): unknown {
  if (bytes.toString('latin1').trimStart().startsWith('{')) {
    const value = under('policy.malformed', () => parseJson(bytes, path))
    return typeof value === 'object' && value !== null && 'jwk' in value ? value.jwk : value
  }
  try {
    return exportJwk(createPublicKey(bytes))
  } catch (cause) {
    throw new CodedError('policy.malformed', `${path} has no public key in PEM`, { cause })
  }
}

export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const bytes = await readFileUpTo(path, MAX_FILE_BYTES, 'input.unreadable')
  const value = under('policy.malformed', () => parseJson(bytes, path))
  return checkShape(schema, value, path, 'policy.malformed', 'operator')
}

/** Its subject names the product, as AMD's do. */
async function simulatedRoot(path: string): Promise<NonNullable<Answers['simulation']>> {
  const der = await readFileUpTo(path, MAX_FILE_BYTES, 'input.unreadable')
  const product = PRODUCTS.find((each) => subjectOf(der, path).includes(`CN=ARK-${each}`))
  if (product === undefined)
    throw new CodedError('policy.malformed', `${path} is no ARK of ${PRODUCTS.join(' or ')}`)
  return { roots: [{ product, ark: toHex(sha256(der)), simulated: true }] }
}

function subjectOf(der: Buffer, path: string): string {
  try {
    return new X509Certificate(der).subject
  } catch (cause) {
    throw new CodedError('policy.malformed', `${path} is not a certificate in DER`, { cause })
  }
}

function usage(option: string, found: string, expected: string): CodedError {
  return new CodedError('usage.invalid', `${option} is ${JSON.stringify(found)}, expected ${expected}`)
}
