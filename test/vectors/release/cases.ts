/** The good cases that the vectors start from, made only from seeds. */

import { z } from 'zod'
import { STRICT } from '#core/appraisal/strict.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { P384Jwk, thumbprint } from '#core/jwk.ts'
import { type GeneralJws, type SignedFormat, type Signer, signCompact, signGeneral } from '#core/jws.ts'
import { type Freshness, FreshnessFormat } from '#core/policy/freshness.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { Revocation } from '#core/policy/revocation.ts'
import { digestOfLists } from '#core/policy/revocationUnion.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { type Grant, GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import { keyDigest } from '#core/release/issue.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import type { ReleaseJob, ReleaseRequest } from '#core/release/request.ts'
import { type TrustAnchors, trustDigest } from '#core/release/trust.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { referenceOf } from '../../reference.ts'
import { HEADER_JWS, SEAL_ID } from '../sealed/seal.ts'
import { seeded } from '../sealed/seeded.ts'
import { ed25519, p256, p384, rsaJwk, wrapSeeded } from './keys.ts'
import type { Expected } from './vector.ts'

export const NOW = toUnixSeconds(1_790_000_100)
export const AUDIENCE = 'https://verifier.hospital.example'
export const NONCE_KEY = { epoch: 7, key: seeded('nonce key')(32) }
export const NONCE = mintNonce(NONCE_KEY, AUDIENCE, NOW, seeded('nonce')(16))

export const ada = ed25519('ada')
export const grace = p384('grace')
export const ROOT: TrustAnchors['providerRoot'] = {
  keys: [
    { person: 'ada', jwk: ada.jwk },
    { person: 'grace', jwk: grace.jwk },
  ],
  threshold: 2,
}
export const grantCa = p384('grant ca')
export const grantKey = ed25519('grant key')
export const freshnessKey = ed25519('freshness key')
export const DEPLOYMENT = { tenant: 'hospital-a', audience: AUDIENCE }
export const client = p384('client')
export const wrap = p256('wrap key')
export const evidence = ed25519('evidence key')
export const BOOT = bootOf(evidence.jwk)
const VERIFIER_BOOT = bootOf(ed25519('evidence key of the verifier').jwk)

export const ANCHORS: TrustAnchors = {
  providerRoot: ROOT,
  audience: AUDIENCE,
  client: 'acme',
  purpose: 'HRESCH',
  simulation: true,
  workloads: [`fhir-summary@${toHex(seeded('workload')(32))}`],
  sandbox: 'none',
  logLevel: 'info',
}
export const TRUST = trustDigest(ANCHORS)
export const ASKER = { client: 'acme', purpose: 'HRESCH' }
export const JOB: ReleaseJob = {
  traceparent: `00-${toHex(seeded('trace id')(16))}-${toHex(seeded('parent id')(8))}-01`,
  objects: [{ header: HEADER_JWS, bucket: 'outbox', name: SEAL_ID, etag: 'etag-1' }],
}

const prepared = await prepareRequest({
  challenge: { nonce: toBase64url(NONCE), exp: addSeconds(NOW, 300), aud: AUDIENCE },
  audience: AUDIENCE,
  jobs: [JOB],
  asker: ASKER,
  signer: client.signer,
  jti: seeded('jti')(16).toString('hex'),
  wrapKey: wrap.jwk,
  evidenceSigner: evidence.signer,
  trust: TRUST,
  software: 'confidential-worker/1',
})
export const REPORT_DATA = prepared.reportData
/** The operations under test do not read the report or its certificate. */
export const REQUEST: ReleaseRequest = prepared.withEvidence({
  report: Buffer.alloc(1184),
  certs: [Buffer.alloc(256)],
})

export const KEYS = { dek: seeded('dek')(32), idKey: seeded('id key')(32) }
export const CONTEXT = { apu: sha256(NONCE), apv: headerDigest(HEADER_JWS) }
export const JWE = wrapSeeded('jwe', Buffer.concat([KEYS.dek, KEYS.idKey]), wrap.jwk, CONTEXT)

export const VERIFIER_KEYS: VerifierKeys = {
  v: 1,
  seq: 3,
  ...DEPLOYMENT,
  issuedAt: NOW - 1000,
  exp: NOW + 86_400,
  freshnessKey: freshnessKey.jwk,
  grantCa: { jwk: P384Jwk.parse(grantCa.jwk), keyId: 'ocid1.key.oc1.eu-frankfurt-1.grant-ca' },
}
function numberOf(keys: VerifierKeys) {
  return { seq: keys.seq, digest: toBase64url(sha256(VerifierKeysFormat.encode(keys))) }
}

export const FRESHNESS: Freshness = {
  v: 1,
  ...DEPLOYMENT,
  policy: { seq: 12, digest: toBase64url(seeded('policy digest')(32)) },
  verifierKeys: numberOf(VERIFIER_KEYS),
  revocation: { seq: 0, digest: digestOfLists([]) },
  consent: {},
  iat: NOW - 100,
  exp: NOW + 800,
}
const RECIPIENT: Grant['recipient'] = {
  jwk: rsaJwk('recipient'),
  keyId: 'ocid1.key.oc1.eu-frankfurt-1.result',
  keyVersionId: 'ocid1.keyversion.oc1.eu-frankfurt-1.result',
}
const OF_PERMISSION = {
  edition: 1,
  scopes: ['system/Condition.rs', 'system/Observation.rs'],
  projection: { view: 'minimal' as const, details: [] },
  sensitive: [],
  codeTable: CODE_TABLE_DIGEST,
  workload: { name: 'fhir-summary', digest: toBase64url(seeded('workload')(32)), parameters: {} },
  output: {
    contentType: 'application/json',
    maxBytes: 1_000_000,
    disclosure: { form: 'threshold' as const, k: 11, cap: null },
  },
  recipient: RECIPIENT,
}
const AUDIT_KEY = p256('audit key').jwk

export const GRANT: Grant = {
  v: 1,
  releaseId: seeded('release id')(16).toString('hex'),
  nonce: toBase64url(NONCE),
  aud: AUDIENCE,
  iat: NOW + 2,
  exp: NOW + 3602,
  client: ASKER.client,
  purpose: ASKER.purpose,
  permission: 'heart-2027',
  tenant: 'hospital-a',
  dataset: 'cohort-1',
  boot: BOOT,
  wrapKey: thumbprint(wrap.jwk),
  set: null,
  objects: [
    {
      sealId: SEAL_ID,
      headerDigest: toBase64url(headerDigest(HEADER_JWS)),
      bucket: 'outbox',
      name: SEAL_ID,
      etag: 'etag-1',
      keyDigest: keyDigest(JWE),
    },
  ],
  ...grantedTerms(OF_PERMISSION).terms,
  termsDigest: grantedTerms(OF_PERMISSION).termsDigest,
  consent: null,
  auditKey: AUDIT_KEY,
  reference: 'worker-1',
  assurance: 'measured',
  disclosure: false,
  simulation: true,
  policySeq: 12,
  revocationSeq: 0,
  log: {
    boot: VERIFIER_BOOT,
    checkpoint: 'a signed note, which the worker keeps and does not read\n',
    index: 41,
  },
}

/** Signs what a schema refuses, too. */
export function unchecked(typ: string): SignedFormat<object> {
  const decode = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())
  return { typ, name: typ, maxBytes: 1024 * 1024, schema: z.custom<object>(), decode, encode: canonicalBytes }
}

export type AnswerChanges = {
  readonly grant?: Partial<Grant>
  /** Fields of the grant that its schema refuses. */
  readonly unchecked?: object
  readonly keys?: readonly string[]
  readonly consentKeys?: string | null
  readonly verifierKeys?: Partial<VerifierKeys>
  readonly signers?: readonly Signer[]
  readonly grantCa?: Signer
  readonly grantKeyWindow?: { readonly nbf: number; readonly exp: number }
  readonly grantSigner?: Signer
  readonly freshness?: Partial<Freshness>
  readonly freshnessSigner?: Signer
  readonly earlierKeys?: readonly GeneralJws[]
}

/** An answer, each layer of which a case can change. */
export async function answerOf(changes: AnswerChanges = {}) {
  const certified = {
    v: 1 as const,
    jwk: grantKey.jwk,
    ...(changes.grantKeyWindow ?? { nbf: NOW - 60, exp: NOW + 40_000 }),
  }
  const verifierKeys = { ...VERIFIER_KEYS, ...changes.verifierKeys }
  return {
    verifierKeys: await signGeneral(
      VerifierKeysFormat,
      verifierKeys,
      changes.signers ?? [ada.signer, grace.signer],
    ),
    grantKey: await signCompact(GrantKeyFormat, certified, changes.grantCa ?? grantCa.signer),
    freshness: await signCompact(
      FreshnessFormat,
      { ...FRESHNESS, verifierKeys: numberOf(verifierKeys), ...changes.freshness },
      changes.freshnessSigner ?? freshnessKey.signer,
    ),
    earlierKeys: changes.earlierKeys ?? [],
    answers: [
      {
        grant: await signCompact(
          unchecked(GrantFormat.typ),
          { ...GRANT, ...changes.grant, ...changes.unchecked },
          changes.grantSigner ?? grantKey.signer,
        ),
        keys: changes.keys ?? [JWE],
        consentKeys: changes.consentKeys ?? null,
      },
    ],
  }
}

export const EXPECTED: Expected = {
  providerRoot: ROOT,
  audience: AUDIENCE,
  asker: ASKER,
  boot: BOOT,
  nonce: toBase64url(NONCE),
  wrapKey: wrap.jwk,
  jobs: [JOB],
  simulation: true,
  now: NOW,
  seen: [],
}

const byte = { fmc: 0, bootloader: 10, tee: 0, snp: 23, microcode: 84 }
export const POLICY: Policy = {
  v: 1,
  seq: 12,
  issuedAt: NOW - 1000,
  expiresAt: NOW + 86_400,
  excludedSigners: [],
  simulation: true,
  tenant: 'hospital-a',
  audience: AUDIENCE,
  roots: [{ product: 'Genoa', ark: seeded('ark')(32).toString('hex'), simulated: true }],
  referenceValues: [
    referenceOf({
      notBefore: NOW - 1000,
      notAfter: NOW + 86_400,
      measurements: [seeded('measurement')(48).toString('hex')],
      trust: [toBase64url(TRUST)],
      crl: { graceSeconds: 604_800 },
      processors: [{ product: 'Genoa', family: 25, model: 17, stepping: 1, floor: byte }],
      firmware: { major: 1, minor: 55, build: 38 },
      guestPolicy: { ...STRICT.guestPolicy, abi: { major: 1, minor: 51 } },
      platformInfo: { ...STRICT.platformInfo, tio: 'any' },
    }),
  ],
  clients: [{ id: 'acme', keys: [client.jwk] }],
  auditKey: AUDIT_KEY,
  populations: [{ id: 'cohort', budget: null }],
  datasets: [
    {
      id: 'cohort-1',
      population: 'cohort',
      synthetic: true,
      sealingKeys: [ed25519('sealing key').jwk],
      keyIds: ['ocid1.key.oc1.eu-frankfurt-1.example'],
      notSealedBefore: NOW - 1000,
      idKey: {
        keyId: 'ocid1.key.oc1.eu-frankfurt-1.identity',
        keyVersionId: 'ocid1.keyversion.oc1.eu-frankfurt-1.identity',
        wrapped: toBase64url(seeded('wrapped id key')(96)),
      },
      assurance: { level: 'measured' },
      consent: null,
      permissions: [
        {
          id: 'heart-2027',
          client: 'acme',
          purpose: 'HRESCH',
          ...OF_PERMISSION,
          quota: { hours: 24, releases: 100, objects: 6400, bytes: 1_000_000_000_000 },
          notBefore: NOW - 1000,
          notAfter: NOW + 86_400,
        },
      ],
    },
  ],
}
export const VERIFIER = {
  simulation: true,
  vaultOnLoopback: true,
}

export const REVOCATION: Revocation = {
  v: 1,
  seq: 4,
  ...DEPLOYMENT,
  issuedAt: NOW,
  replaces: [],
  referenceValues: ['worker-0'],
  objects: [SEAL_ID],
  boots: [],
  permissions: [],
}

export const REGISTRATION: Registration = {
  v: 1,
  role: 'worker',
  boot: BOOT,
  origin: logOrigin('worker', BOOT),
  key: evidence.jwk,
  attestation: {
    runtimeDataDigest: toBase64url(sha256(utf8(REQUEST.runtimeData))),
    reportDigest: toBase64url(seeded('report')(32)),
    measurement: seeded('measurement')(48).toString('hex'),
    reference: 'worker-1',
    assurance: 'measured',
    client: 'acme',
  },
  simulation: true,
  time: NOW,
}
