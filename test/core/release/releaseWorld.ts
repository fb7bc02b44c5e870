/** A small provider, its consumer and one object: fresh keys, and a policy with one permission. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { AcceptedVerdict, Distance, Verdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url } from '#core/bytes.ts'
import type { Refusal } from '#core/errors.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { Ed25519Jwk, exportJwk, P256Jwk, P384Jwk, RsaJwk } from '#core/jwk.ts'
import { keySigner, peekCompact, type Signer, signCompact } from '#core/jws.ts'
import type { Consent } from '#core/policy/consent.ts'
import { type Freshness, FreshnessFormat } from '#core/policy/freshness.ts'
import type { Permission, Policy } from '#core/policy/policy.ts'
import type { Revocation } from '#core/policy/revocation.ts'
import { type RevocationUnion, uniteRevocations } from '#core/policy/revocationUnion.ts'
import { type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { MIN_LIST_BYTES } from '#core/sealed/consentList.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import { memberName } from '#core/sealed/set.ts'
import { type SetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { toUnixSeconds } from '#core/time.ts'
import { referenceOf } from '../../reference.ts'

export const NOW = toUnixSeconds(1_800_000_000)
export const DAY = 86_400
export const AUDIENCE = 'https://verifier.hospital.example'
export const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
export const KEY_ID = 'ocid1.key.oc1..seal'

export const ed25519 = () => generateKeyPairSync('ed25519').privateKey
export const p384 = () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
export const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

export const sealingKey = keySigner(ed25519())
export const client = keySigner(p384())
export const signers = [keySigner(ed25519()), keySigner(ed25519()), keySigner(p384())] as const
export const root = {
  keys: signers.map(({ jwk }, index) => ({ person: `person-${index}`, jwk })),
  threshold: 2,
}
export const auditKey = p256()

export function permissionOf(changes: Partial<Permission> = {}): Permission {
  return {
    id: 'heart-2027',
    client: 'acme',
    purpose: 'HRESCH',
    edition: 1,
    scopes: ['system/Condition.rs', 'system/Observation.rs'],
    projection: { view: 'minimal', details: [] },
    sensitive: [],
    codeTable: CODE_TABLE_DIGEST,
    workload: { name: 'fhir-summary', digest: toBase64url(Buffer.alloc(32, 7)), parameters: {} },
    output: {
      contentType: 'application/json',
      maxBytes: 1_000_000,
      disclosure: { form: 'threshold', k: 11, cap: null },
    },
    recipient: {
      jwk: RsaJwk.parse(exportJwk(rsa.publicKey)),
      keyId: 'ocid1.key.oc1..result',
      keyVersionId: 'ocid1.keyversion.oc1..result',
    },
    quota: { hours: 24, releases: 1000, objects: 1000, bytes: 1_000_000_000 },
    notBefore: NOW - DAY,
    notAfter: NOW + DAY,
    ...changes,
  }
}

export function datasetOf(changes: Partial<Policy['datasets'][number]> = {}): Policy['datasets'][number] {
  return {
    id: 'cohort',
    population: 'cohort',
    synthetic: true,
    sealingKeys: [sealingKey.jwk],
    keyIds: [KEY_ID],
    notSealedBefore: NOW - DAY,
    idKey: {
      keyId: 'ocid1.key.oc1..id',
      keyVersionId: 'ocid1.keyversion.oc1..id',
      wrapped: toBase64url(Buffer.alloc(64, 1)),
    },
    assurance: { level: 'measured' },
    consent: null,
    permissions: [permissionOf()],
    ...changes,
  }
}

export function policyOf(changes: Partial<Policy> = {}): Policy {
  return {
    v: 1,
    seq: 7,
    issuedAt: NOW - DAY,
    expiresAt: NOW + 30 * DAY,
    excludedSigners: [],
    simulation: true,
    tenant: 'hospital',
    audience: AUDIENCE,
    roots: [{ product: 'Genoa', ark: '11'.repeat(32), simulated: true }],
    referenceValues: [
      referenceOf({
        notBefore: NOW - DAY,
        notAfter: NOW + DAY,
        measurements: ['22'.repeat(48)],
        trust: [toBase64url(Buffer.alloc(32, 3))],
      }),
    ],
    clients: [{ id: 'acme', keys: [P384Jwk.parse(client.jwk)] }],
    auditKey: P256Jwk.parse(exportJwk(auditKey)),
    populations: [{ id: 'cohort', budget: null }],
    datasets: [datasetOf()],
    ...changes,
  }
}

export const DEPLOYMENT = { tenant: 'hospital', audience: AUDIENCE } as const
export const freshnessKey = keySigner(ed25519())

export function verifierKeysOf(
  grantCa: VerifierKeys['grantCa'],
  changes: Partial<VerifierKeys> = {},
): VerifierKeys {
  const freshness = freshnessKey.jwk
  return {
    v: 1,
    seq: 1,
    ...DEPLOYMENT,
    issuedAt: NOW - DAY,
    exp: NOW + DAY,
    grantCa,
    freshnessKey: freshness,
    ...changes,
  }
}

/** A statement about the policy of this world and these verifier keys, as signed. */
export async function freshnessOf(
  keys: VerifierKeys,
  changes: Partial<Freshness> = {},
  signer: Signer = freshnessKey,
): Promise<string> {
  const digest = toBase64url(Buffer.alloc(32, 5))
  const statement: Freshness = {
    v: 1,
    ...DEPLOYMENT,
    policy: { seq: 7, digest },
    verifierKeys: { seq: keys.seq, digest: toBase64url(sha256(VerifierKeysFormat.encode(keys))) },
    revocation: { seq: 0, digest },
    consent: {},
    iat: NOW - 60,
    exp: NOW + 600,
    ...changes,
  }
  return await signCompact(FreshnessFormat, statement, signer)
}

export function revocationOf(changes: Partial<Revocation> = {}): Revocation {
  const nothing = { replaces: [], referenceValues: [], objects: [], boots: [], permissions: [] }
  return { v: 1, seq: 1, ...DEPLOYMENT, issuedAt: NOW, ...nothing, ...changes }
}

export function consentListOf(changes: Partial<Consent> = {}): Consent {
  const list = {
    id: 'ab'.repeat(16),
    digest: toBase64url(Buffer.alloc(32, 9)),
    bytes: MIN_LIST_BYTES,
    custody: {
      keyId: 'ocid1.key.oc1..consent',
      keyVersionId: 'ocid1.keyversion.oc1..consent',
      wrappedDek: toBase64url(Buffer.alloc(64, 2)),
    },
  }
  return { v: 1, seq: 1, ...DEPLOYMENT, issuedAt: NOW, dataset: 'cohort', replaces: [], list, ...changes }
}

/** What is revoked when no list is in force. */
export const nothingRevoked: RevocationUnion = uniteRevocations([], root, new Set())

export function headerOf(changes: Partial<SealHeader> = {}): SealHeader {
  const sealId = changes.sealId ?? '5e'.repeat(16)
  return {
    v: 1,
    tenant: 'hospital',
    dataset: 'cohort',
    object: sealId,
    sealId,
    size: 1234,
    contentType: 'application/fhir-ndjson',
    sealedAt: NOW - 100,
    set: null,
    minimised: null,
    baseUrl: null,
    custody: {
      mode: 'rewrap',
      keyId: KEY_ID,
      keyVersionId: 'ocid1.keyversion.oc1..seal',
      wrappedDek: toBase64url(randomBytes(60)),
    },
    ...changes,
  }
}

export async function jobOf(
  changes: Partial<SealHeader> = {},
  signer: Signer = sealingKey,
): Promise<ReleaseJob> {
  const header = headerOf(changes)
  return {
    traceparent: TRACEPARENT,
    objects: [
      {
        header: await signCompact(SealHeaderFormat, header, signer),
        bucket: 'outgoing',
        name: header.object,
        etag: 'e-1',
      },
    ],
  }
}

export const SET = '5e7a'.repeat(8)

/** The headers of three members of a set, in the order of its record, and the job of the record. */
export async function setJobOf(
  changes: {
    readonly record?: Partial<SetRecord>
    /** Changes what the record says of each member. */
    readonly named?: (member: SetRecord['members'][number], index: number) => object
    readonly member?: Partial<SealHeader>
    readonly recordSigner?: Signer
    readonly memberSigner?: Signer
  } = {},
): Promise<ReleaseJob> {
  const jobs = await Promise.all(
    ['0a', '0b', '0c'].map((byte, index) => {
      const sealId = byte.repeat(16)
      const own = index === 1 ? changes.member : {}
      const object = memberName(own?.set ?? SET, sealId)
      return jobOf({ sealId, set: SET, object, ...own }, index === 1 ? changes.memberSigner : undefined)
    }),
  )
  const objects = jobs.flatMap((job) => job.objects)
  const members = objects.map(({ header }) => {
    const { sealId, size } = peekCompact(SealHeaderFormat, header, 'object.malformed').payload
    return { sealId, size, headerDigest: toBase64url(headerDigest(header)) }
  })
  const record: SetRecord = {
    v: 1,
    tenant: 'hospital',
    dataset: 'cohort',
    set: SET,
    name: SET,
    members: members.map((member, index) => ({ ...member, ...changes.named?.(member, index) })),
    sealedAt: NOW - 50,
    ...changes.record,
  }
  const set = await signCompact(SetRecordFormat, record, changes.recordSigner ?? sealingKey)
  return { set, traceparent: TRACEPARENT, objects }
}

/** The keys that a worker generates. */
export function workerKeys() {
  const wrap = p256()
  const evidence = ed25519()
  return {
    wrap,
    evidence,
    wrapKey: P256Jwk.parse(exportJwk(wrap)),
    evidenceKey: Ed25519Jwk.parse(exportJwk(evidence)),
    evidenceSigner: keySigner(evidence),
  }
}

/**
 * An accepted verdict without a report. Only `appraise` gives real ones, but decisions do not read the
 * report.
 */
export function acceptedAt(assurance: 'measured' | 'platform', simulated = true): AcceptedVerdict {
  const verdict: unknown = { kind: 'accepted', reference: 'worker-1', assurance, simulated }
  return verdict as AcceptedVerdict
}

export function refusedFor(reasons: readonly Refusal[], distances: readonly Distance[] = []): Verdict {
  const verdict: unknown = { kind: 'refused', nearest: 'worker-1', reasons, distances }
  return verdict as Verdict
}
