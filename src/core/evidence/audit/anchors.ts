/**
 * The documents that everything else is checked against, all verified from the provider root: certified grant
 * CAs, the boots that they registered, and the policies and revocation lists that the provider's signers
 * made.
 */
import { type Registration, RegistrationFormat, readRegistration } from '../../boot/registration.ts'
import { fromBase64url, sha256, toBase64url } from '../../bytes.ts'
import { parseGeneral, type QuorumRoot, verifyQuorum } from '../../jws.ts'
import { expectName } from '../../policy/objectName.ts'
import { type Policy, PolicyFormat, policyName } from '../../policy/policy.ts'
import { type Revocation, readRevocation } from '../../policy/revocation.ts'
import { type GrantCa, readGrantCa, VerifierKeysFormat } from '../../policy/verifierKeys.ts'
import type { Collection, ObjectReader } from './collection.ts'
import { type FindingCode, type Findings, messageOf } from './finding.ts'

export type Anchors = {
  /** By boot. */
  readonly registrations: ReadonlyMap<string, Registration>
  /** By number. `digest` is the SHA-256 of the signed payload, as in `policy.loaded`. */
  readonly policies: ReadonlyMap<number, { readonly policy: Policy; readonly digest: string }>
  /** By number. */
  readonly revocations: ReadonlyMap<number, Revocation>
}

/** A signed document is larger than its payload: base64url and up to 16 signatures. */
const signedBytes = (format: { readonly maxBytes: number }): number => format.maxBytes * 2 + 16_384
const MAX_REVOCATION_BYTES = 6 * 1024 * 1024

export async function readAnchors(
  { governance, verifierLogs }: Collection,
  root: QuorumRoot,
  findings: Findings,
): Promise<Anchors> {
  /**
   * Reads every object with the prefix in order. An object that does not verify is a finding and is left out.
   */
  const readEach = async (
    objects: ObjectReader,
    prefix: string,
    maxBytes: number,
    code: FindingCode,
    take: (bytes: Buffer, name: string) => void,
  ): Promise<void> => {
    for await (const name of objects.list(prefix)) {
      try {
        take((await objects.read(name, maxBytes)) ?? Buffer.alloc(0), name)
      } catch (error) {
        findings.add(code, `${name}: ${messageOf(error)}`)
      }
    }
  }

  const grantCas: GrantCa[] = []
  const keysBytes = signedBytes(VerifierKeysFormat)
  await readEach(governance, 'verifier-keys/', keysBytes, 'keys.unverified', (bytes, name) => {
    grantCas.push(readGrantCa(bytes, name, root))
  })
  if (grantCas.length === 0)
    findings.add('keys.missing', 'governance/verifier-keys has no certified grant CA')

  const registrations = new Map<string, Registration>()
  const registrationBytes = signedBytes(RegistrationFormat)
  await readEach(
    verifierLogs,
    'registration/',
    registrationBytes,
    'registration.unverified',
    (bytes, name) => {
      const registration = readRegistration(bytes, name, grantCas)
      registrations.set(registration.boot, registration)
    },
  )

  const policies = new Map<number, { policy: Policy; digest: string }>()
  const policyBytes = signedBytes(PolicyFormat)
  await readEach(governance, 'policy/', policyBytes, 'policy.unverified', (bytes, name) => {
    const signed = parseGeneral(bytes, 'evidence.inconsistent')
    const { payload: policy } = verifyQuorum(PolicyFormat, signed, root, 'evidence.inconsistent')
    expectName(name, policyName(policy.seq), 'evidence.inconsistent')
    policies.set(policy.seq, { policy, digest: toBase64url(sha256(fromBase64url(signed.payload))) })
  })

  const revocations = new Map<number, Revocation>()
  let current: Revocation | undefined
  await readEach(governance, 'revocation/', MAX_REVOCATION_BYTES, 'policy.unverified', (bytes, name) => {
    current = readRevocation(bytes, name, root, current)
    revocations.set(current.seq, current)
  })
  return { registrations, policies, revocations }
}
