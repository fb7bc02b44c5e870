/**
 * A worker's boot without a network: a grant that the real checks accept, buckets in folders, a log that is
 * written.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { toBase64url } from '#core/bytes.ts'
import { Ed25519Jwk, exportJwk, type P256Jwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact, signGeneral } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import { VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { type AcceptedGrant, acceptAnswer } from '#core/release/accept.ts'
import { decideJobs } from '#core/release/decide.ts'
import { type Grant, GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import { grantExpiry, grantOf } from '#core/release/issue.ts'
import { mintNonce } from '#core/release/nonce.ts'
import type { ReleaseJob, ReleaseResponse } from '#core/release/request.ts'
import { wrapKeys } from '#core/release/wrap.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import type { ReplicatedService } from '#ports/releaseService.ts'
import type { Boot } from '../../src/worker/boot.ts'
import { FinishedJobs } from '../../src/worker/finished.ts'
import type { PublicationBoot } from '../../src/worker/publication.ts'
import { createRegistrations } from '../../src/worker/registrations.ts'
import { VerifierTime } from '../../src/worker/verifierTime.ts'
import { createWitness } from '../../src/worker/witness.ts'
import {
  AUDIENCE,
  acceptedAt,
  ed25519,
  freshnessOf,
  jobOf,
  NOW,
  p384,
  policyOf,
  root,
  signers,
  verifierKeysOf,
  workerKeys,
} from '../core/release/releaseWorld.ts'
import { witnessBoot } from '../verifier/witnessBoot.ts'

const NAMESPACE = 'research'
export const grantCa = keySigner(p384())
/** Of before: it may have registered boots. */
export const earlierCa = keySigner(p384())
const certificationOf = (ca: Signer, seq: number) =>
  verifierKeysOf({ jwk: P384Jwk.parse(ca.jwk), keyId: 'ocid1.key.oc1..ca' }, { seq })

export function folderStore(folder: string): ObjectStore {
  return createFolderStore({ root: folder, namespace: NAMESPACE })
}

export const bucket = (name: string) => ({ namespace: NAMESPACE, bucket: name })

type Asked = {
  readonly nonce: Buffer
  readonly wrapKey: P256Jwk
  readonly boot: string
  readonly job: ReleaseJob
}

const asker = { client: 'acme', purpose: 'HRESCH', scopesDigest: null }

/** A Verifier's answer that grants the one job, under the first of these CAs. The other is of before a rotation. */
export async function grantingAnswer(
  { nonce, wrapKey, boot, job }: Asked,
  log: Grant['log'],
  [ca, earlier]: readonly [Signer, Signer?] = [grantCa],
): Promise<ReleaseResponse> {
  const policy = policyOf()
  const [decision] = decideJobs(
    [job],
    { kind: 'accepted', asker, verdict: acceptedAt('measured') },
    { policy, revocation: { objects: [], permissions: [] }, consent: new Map(), now: NOW },
  )
  assert.equal(decision?.kind, 'granted')
  const jwe = wrapKeys({ dek: randomBytes(32), idKey: randomBytes(32) }, wrapKey, {
    nonce,
    headerDigest: headerDigest(job.objects[0]?.header ?? ''),
  })
  const grant = grantOf(decision, {
    asker,
    policy,
    now: NOW,
    releaseId: randomBytes(16).toString('hex'),
    nonce: toBase64url(nonce),
    boot,
    wrapKey: thumbprint(wrapKey),
    expiry: grantExpiry(NOW),
    revocationSeq: 0,
    keys: [jwe],
    consent: null,
    log,
  })
  const grantKey = keySigner(ed25519())
  const keys = certificationOf(ca, 2)
  const quorum = [signers[0], signers[2]]
  return {
    verifierKeys: await signGeneral(VerifierKeysFormat, keys, quorum),
    grantKey: await signCompact(
      GrantKeyFormat,
      { v: 1 as const, jwk: Ed25519Jwk.parse(grantKey.jwk), nbf: NOW - 60, exp: NOW + 86_400 },
      ca,
    ),
    freshness: await freshnessOf(keys),
    earlierKeys:
      earlier === undefined
        ? []
        : [await signGeneral(VerifierKeysFormat, certificationOf(earlier, 1), quorum)],
    answers: [{ grant: await signCompact(GrantFormat, grant, grantKey), keys: [jwe], consentKeys: null }],
  }
}

/** A grant from a Verifier's answer, through the worker's own checks. */
export async function acceptedGrant(
  boot = bootOf(workerKeys().evidenceKey),
  sealed?: ReleaseJob,
  cas?: readonly [Signer, Signer?],
): Promise<AcceptedGrant> {
  const worker = workerKeys()
  const nonce = mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16))
  const job = sealed ?? (await jobOf())
  const [answer] = acceptAnswer(
    await grantingAnswer(
      { nonce, wrapKey: worker.wrapKey, boot, job },
      { boot, checkpoint: 'a note', index: 3 },
      cas,
    ),
    {
      providerRoot: root,
      audience: AUDIENCE,
      asker,
      boot,
      nonce,
      wrapKey: worker.wrapKey,
      jobs: [job],
      simulation: true,
      now: NOW,
      floor: new Floor(),
    },
  )
  assert.equal(answer?.kind, 'granted')
  return answer
}

export const attestation = {
  runtimeDataDigest: toBase64url(randomBytes(32)),
  reportDigest: toBase64url(randomBytes(32)),
  measurement: 'ab'.repeat(48),
  reference: 'worker-1',
  assurance: 'measured' as const,
  client: 'acme',
}

/** A boot of a Verifier, and its registration by the provider's grant CA. */
export async function verifierBoot(changes: Partial<Registration> = {}, by = grantCa) {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(key)
  const content: Registration = {
    v: 1,
    role: 'verifier',
    boot,
    origin: logOrigin('verifier', boot),
    key,
    attestation: null,
    simulation: true,
    time: NOW,
    ...changes,
  }
  if (content.role === 'worker') content.origin = logOrigin('worker', boot)
  const registration = await signCompact(RegistrationFormat, content, by)
  return { boot, role: content.role, privateKey, registration }
}

/** The Verifier as this worker reaches it: only its witness. */
async function witnessService(store: ObjectStore, ca: Signer): Promise<ReplicatedService> {
  const { submit } = await witnessBoot({
    store,
    own: bucket('registrations'),
    workers: bucket('evidence'),
    grantCa: ca,
    now: NOW,
  })
  return {
    witness: submit,
    judge: () => {},
    addresses: 1,
    failures: () => 0,
    another: () => false,
    challenge: async () => assert.fail(),
    release: async () => assert.fail(),
  }
}

/** A boot with its own log; the provider's grant CA registers it, or another one, or none. */
export async function publicationBootOf(
  store: ObjectStore,
  registeredBy: Signer | null = grantCa,
  asked: (intents: number) => void = () => {},
): Promise<PublicationBoot & Pick<Boot, 'finished'>> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(key)
  const time = new VerifierTime(() => 0)
  time.observe(NOW)
  if (registeredBy !== null) {
    const registration = await signCompact(
      RegistrationFormat,
      {
        v: 1,
        role: 'worker',
        boot,
        origin: logOrigin('worker', boot),
        key,
        attestation,
        simulation: true,
        time: NOW,
      },
      registeredBy,
    )
    await store.create(
      { ...bucket('registrations'), name: registrationName(boot) },
      Buffer.from(registration),
    )
  }
  const buckets = {
    results: bucket('results'),
    state: bucket('state'),
    registrations: bucket('registrations'),
  }
  const evidence = createEvidenceLog({
    store,
    bucket: bucket('evidence'),
    role: 'worker',
    key: privateKey,
    boot,
    software: 'confidential-worker/test',
    simulation: true,
    now: () => time.now(),
  })
  const registrations = createRegistrations(store, buckets.registrations)
  return {
    store,
    buckets,
    witness: createWitness({
      service: await witnessService(store, registeredBy ?? grantCa),
      evidence,
      key,
      registrations,
      time,
      asked,
    }),
    registrations,
    finished: new FinishedJobs({ store, buckets }),
    cipher: nodeCipher,
    memory: plainMemory,
    evidence,
    signer: keySigner(privateKey),
    time,
    simulation: true,
  }
}
