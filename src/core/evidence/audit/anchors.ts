/**
 * Who is who and what was in force, from the provider root alone: the grant CAs that it certifies, the boots that they
 * registered, the policies and revocation lists that its signers made.
 */

import { type Registration, RegistrationFormat, readRegistration } from '../../boot/registration.ts'
import { fromBase64url, sha256, toBase64url } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { parseGeneral, type Root, type SignedFormat, verifyQuorum } from '../../jws.ts'
import { type Policy, PolicyFormat, policyName } from '../../policy/policy.ts'
import { type Revocation, readRevocation } from '../../policy/revocation.ts'
import { type GrantCa, readGrantCa, VerifierKeysFormat } from '../../policy/verifierKeys.ts'
import type { Collection, Shelf } from './collection.ts'
import type { FindingCode, Findings } from './finding.ts'

export type Anchors = {
  readonly registrations: ReadonlyMap<string, Registration>
  /** By number. `digest` is the SHA-256 of the signed payload, as `policy.loaded` has it. */
  readonly policies: ReadonlyMap<number, { readonly policy: Policy; readonly digest: string }>
  readonly revocations: ReadonlyMap<number, Revocation>
}

/** A signed document is larger than its payload: base64url and up to 16 signatures. */
const signedBytes = (format: { readonly maxBytes: number }): number => format.maxBytes * 2 + 16_384
const MAX_REVOCATION_BYTES = 6 * 1024 * 1024

export async function readAnchors(collection: Collection, root: Root, findings: Findings): Promise<Anchors> {
  const grantCas = await readGrantCas(collection.governance, root, findings)
  if (grantCas.length === 0)
    findings.add('keys.missing', null, null, 'governance/verifier-keys holds no certified grant CA')
  return {
    registrations: await readRegistrations(collection.verifierLogs, grantCas, findings),
    policies: await readPolicies(collection.governance, root, findings),
    revocations: await readRevocations(collection.governance, root, findings),
  }
}

async function readGrantCas(shelf: Shelf, root: Root, findings: Findings): Promise<readonly GrantCa[]> {
  const grantCas: GrantCa[] = []
  const limit = signedBytes(VerifierKeysFormat)
  await readEach(shelf, 'verifier-keys/', limit, 'keys.unverified', findings, (bytes, name) => {
    grantCas.push(readGrantCa(bytes, name, root))
  })
  return grantCas
}

async function readRegistrations(shelf: Shelf, grantCas: readonly GrantCa[], findings: Findings) {
  const registrations = new Map<string, Registration>()
  const limit = signedBytes(RegistrationFormat)
  await readEach(shelf, 'registration/', limit, 'registration.unverified', findings, (bytes, name) => {
    const registration = readRegistration(bytes, name, grantCas)
    registrations.set(registration.boot, registration)
  })
  return registrations
}

async function readPolicies(shelf: Shelf, root: Root, findings: Findings) {
  const policies = new Map<number, { policy: Policy; digest: string }>()
  await readEach(
    shelf,
    'policy/',
    signedBytes(PolicyFormat),
    'policy.unverified',
    findings,
    (bytes, name) => {
      const { payload: policy, digest } = openQuorum(PolicyFormat, bytes, root)
      expectName(name, policyName(policy.seq))
      policies.set(policy.seq, { policy, digest })
    },
  )
  return policies
}

async function readRevocations(shelf: Shelf, root: Root, findings: Findings) {
  const revocations = new Map<number, Revocation>()
  let current: Revocation | undefined
  await readEach(shelf, 'revocation/', MAX_REVOCATION_BYTES, 'policy.unverified', findings, (bytes, name) => {
    current = readRevocation(bytes, name, root, current)
    revocations.set(current.seq, current)
  })
  return revocations
}

function openQuorum<T>(format: SignedFormat<T>, bytes: Buffer, root: Root) {
  const signed = parseGeneral(bytes, 'evidence.inconsistent')
  const { payload } = verifyQuorum(format, signed, root, 'evidence.inconsistent')
  return { payload, digest: toBase64url(sha256(fromBase64url(signed.payload))) }
}

/** Reads every object with the prefix in order; one that does not verify is found wrong and left out. */
async function readEach(
  shelf: Shelf,
  prefix: string,
  maxBytes: number,
  code: FindingCode,
  findings: Findings,
  take: (bytes: Buffer, name: string) => void,
): Promise<void> {
  for await (const name of shelf.list(prefix)) {
    try {
      take((await shelf.read(name, maxBytes)) ?? Buffer.alloc(0), name)
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      findings.add(code, null, null, `${name}: ${error.message}`)
    }
  }
}

function expectName(name: string, expected: string): void {
  if (name !== expected)
    throw new CodedError('evidence.inconsistent', `it holds what belongs under ${expected}`)
}
