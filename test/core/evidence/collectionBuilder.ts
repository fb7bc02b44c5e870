import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { appraise } from '#core/appraisal/appraise.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import type { ErrorCode, Refusal } from '#core/errors.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import { noteDigest } from '#core/evidence/note.ts'
import { GrantsRecordFormat, recorded } from '#core/evidence/record.ts'
import { type Commit, CommitFormat, commitName } from '#core/evidence/witness/commit.ts'
import type { Permit } from '#core/evidence/witness/permit.ts'
import { witnessedName } from '#core/evidence/witness/witnessed.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { type Ed25519Jwk, exportJwk, thumbprint } from '#core/jwk.ts'
import { type GeneralJws, keySigner, type Signer, signCompact } from '#core/jws.ts'
import { signDocument } from '#core/policy/document.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation, RevocationFormat } from '#core/policy/revocation.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { type Grant, GrantFormat, type GrantKey, GrantKeyFormat } from '#core/release/grant.ts'
import { endOfGrant, grantDigest, grantOf } from '#core/release/issue.ts'
import { sealTo } from '#core/release/jwe.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { resultIdOf } from '#core/release/resultId.ts'
import {
  manifestDigest,
  manifestName,
  partName,
  type ResultManifest,
  ResultManifestFormat,
} from '#core/sealed/manifest.ts'
import { SealRecordFormat, sealRecordName } from '#core/sealed/record.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { referenceOf } from '../../reference.ts'
import { cosignBy, permitBy } from '../../witnessing.ts'
import { acceptedAt } from '../release/releaseWorld.ts'
import { amd, digestOfHeader, grantedAs, type RealRequest, realRequest, sealedJob } from './realRequests.ts'

const NAMESPACE = 'collection'
const START = 1_800_000_000
const KEYS_END = START + 1_000_000
const KEY_ID = 'ocid1.key.oc1..synthetic'
const MEASUREMENT = 'ab'.repeat(48)
export const PLATFORM_MEASUREMENT = 'ef'.repeat(48)
const digestOf = (text: string) => toBase64url(sha256(utf8(text)))
export const randomId = () => toHex(randomBytes(16))
export const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`

// One key of each kind for all collections of a test file: RSA keys are slow to make.
const people = ['ada', 'grace'].map((person) => ({ person, key: generateKeyPairSync('ed25519').privateKey }))
const grantCa = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
const rsa = exportJwk(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
const client = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
const p384 = client.jwk
const grantKeyPair = generateKeyPairSync('ed25519')
const grantSigner = keySigner(grantKeyPair.privateKey)
/** Opens the counts of every result. */
export const auditKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const p256 = exportJwk(auditKey)
assert(
  rsa.kty === 'RSA' && p384.kty === 'EC' && p384.crv === 'P-384' && p256.kty === 'EC' && p256.crv === 'P-256',
)
/** What every result's worker read, kept and withheld. */
const SEALED_COUNTS = sealTo(p256, canonicalBytes({ read: 13, kept: { Patient: 8 }, withheld: { scope: 5 } }))
export const signers: readonly Signer[] = people.map(({ key }) => keySigner(key))
const [sealing] = signers
assert(sealing !== undefined && grantCa.jwk.kty === 'EC' && grantSigner.jwk.kty === 'OKP')
const grantKey: GrantKey = { v: 1, jwk: grantSigner.jwk, nbf: START - 60, exp: START + 1_000_000 }

/** The auditor's pin. */
export const providerRoot = {
  keys: signers.map(({ jwk }, i) => ({ person: people[i]?.person ?? '', jwk })),
  threshold: 2,
}

const reference: Policy['referenceValues'][number] = referenceOf({
  id: 'reference-1',
  notBefore: START - 1000,
  notAfter: START + 100_000,
  measurements: [MEASUREMENT],
  trust: [digestOf('trust')],
})

const cohort: Policy['datasets'][number] = {
  id: 'cohort',
  population: 'cohort',
  synthetic: true,
  sealingKeys: [sealing.jwk],
  keyIds: [KEY_ID],
  notSealedBefore: START - 1000,
  idKey: { keyId: KEY_ID, keyVersionId: KEY_ID, wrapped: toBase64url(Buffer.alloc(64)) },
  assurance: { level: 'measured' },
  consent: null,
  permissions: [
    {
      id: 'cohort-research',
      client: 'research',
      purpose: 'HRESCH',
      edition: 1,
      scopes: ['system/*.rs'],
      projection: { view: 'minimal', details: [] },
      sensitive: [],
      codeTable: CODE_TABLE_DIGEST,
      workload: { name: 'fhir-summary', digest: digestOf('workload'), parameters: {} },
      output: {
        contentType: 'application/json',
        maxBytes: 1_000_000,
        disclosure: { form: 'threshold', k: 11, cap: null },
      },
      recipient: { jwk: rsa, keyId: KEY_ID, keyVersionId: KEY_ID },
      quota: { hours: 24, releases: 1000, objects: 1000, bytes: 1_000_000_000 },
      notBefore: START - 1000,
      notAfter: START + 100_000,
    },
  ],
}

const DEPLOYMENT = { tenant: 'hospital', audience: 'https://verifier.example' }

const policy: Policy = {
  v: 1,
  seq: 1,
  issuedAt: START - 500,
  expiresAt: START + 300_000,
  excludedSigners: [],
  simulation: true,
  ...DEPLOYMENT,
  roots: [{ product: 'Genoa', ark: toHex(sha256(amd.arkDer)), simulated: true }],
  referenceValues: [
    reference,
    // A guest whose image is not measured.
    { ...reference, id: 'reference-2', assurance: 'platform', measurements: [PLATFORM_MEASUREMENT] },
  ],
  clients: [{ id: 'research', keys: [p384] }],
  auditKey: p256,
  populations: [{ id: 'cohort', budget: null }],
  datasets: [
    cohort,
    {
      ...cohort,
      id: 'shared',
      assurance: { level: 'platform', administeredBy: 'provider' },
      permissions: cohort.permissions.map((one) => ({
        ...one,
        id: 'shared-research',
        quota: { hours: 24, releases: 5, objects: 7, bytes: 1_000_000_000 },
      })),
    },
  ],
}
const foreignAuditKey = exportJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
const [permission] = cohort.permissions
assert(permission !== undefined)
const { recipient, workload } = permission
const nothingRevoked = { referenceValues: [], objects: [], boots: [], permissions: [] }
const { termsDigest } = grantedTerms(permission)
const NO_SIZE = { releases: 1, objects: 1, bytes: 1 } as const

export type Boot = {
  readonly boot: string
  readonly key: KeyObject
  readonly jwk: Ed25519Jwk
  readonly log: EvidenceLog
  readonly role: Registration['role']
}
type BodyOf<Event extends EntryBody['event']> = Extract<EntryBody, { event: Event }>
export type Released = {
  readonly releaseId: string
  readonly jobId: string
  readonly grantDigest: string
  readonly headerDigests: string[]
  readonly traceparent: string
  readonly dataset: string
  readonly permission: string
  readonly verifier: { boot: string; index: number; checkpointDigest: string }
  readonly checkpoint: string
  /** The recorded grants of its request, with its own. */
  readonly grants: ReturnType<typeof recorded>
}

/**
 * Builds a collection with real logs and signatures in a folder. A test passes its changes to single steps.
 */
export class CollectionBuilder {
  readonly dir: string
  readonly store: ObjectStore
  now = START
  /** True if a Verifier of its own says `boot.registered` of each worker. */
  announces = false
  #announcer: Boot | undefined
  /** Digests of the lists, in the order of their publication. */
  readonly revocations: string[] = []
  // Sealed objects by the digest of each header, requests by `<boot>/<accepted>`, evidence keys by boot.
  readonly #sealed = new Map<string, Pick<ReleaseJob, 'set' | 'objects'>>()
  readonly #requests = new Map<string, RealRequest>()
  readonly #signers = new Map<string, Signer>()
  readonly #committed = new Set<string>()
  readonly #witnessed = new Map<string, number>()
  #witness: Boot | undefined

  private constructor(dir: string, store: ObjectStore) {
    this.dir = dir
    this.store = store
  }

  /** Starts with governance and trust, without a log. */
  static async create(
    dir: string,
    store: ObjectStore = createFolderStore({ root: dir, namespace: NAMESPACE }),
  ): Promise<CollectionBuilder> {
    const builder = new CollectionBuilder(dir, store)
    assert(grantCa.jwk.kty === 'EC')
    const keys = {
      v: 1,
      seq: 1,
      ...DEPLOYMENT,
      issuedAt: START - 500,
      exp: KEYS_END,
      grantCa: { jwk: grantCa.jwk, keyId: KEY_ID },
      freshnessKey: cohort.sealingKeys[0] ?? assert.fail(),
    } as const
    for (const { name, signed } of [
      await signDocument(VERIFIER_KEYS, keys, signers),
      await signDocument(POLICY, policy, signers),
    ])
      await builder.put('governance', name, signed)
    await builder.revoke({})
    const trust = {
      providerRoot,
      audience: DEPLOYMENT.audience,
      client: 'research',
      purpose: 'HRESCH',
      simulation: true,
      workloads: [],
      sandbox: 'none',
      logLevel: 'info',
    }
    await writeFile(join(dir, 'trust.json'), JSON.stringify(trust))
    return builder
  }

  async put(bucket: string, name: string, content: GeneralJws | string | Uint8Array): Promise<void> {
    const bytes =
      typeof content === 'string'
        ? utf8(content)
        : content instanceof Uint8Array
          ? content
          : canonicalBytes(content)
    await this.store.create({ namespace: NAMESPACE, bucket, name }, bytes)
  }

  /** One signer suffices to revoke; to replace lists it takes a quorum. Returns the digest of the list. */
  async revoke(lists: Partial<Revocation>): Promise<string> {
    const by = lists.replaces === undefined ? signers.slice(0, 1) : signers
    const revocation: Revocation = {
      v: 1,
      seq: 1,
      ...DEPLOYMENT,
      issuedAt: START - 10,
      replaces: [],
      referenceValues: [],
      objects: [],
      boots: [],
      permissions: [],
      ...lists,
    }
    const { name, signed } = await signDocument(REVOCATION, revocation, by)
    await this.put('governance', name, signed)
    const digest = toBase64url(sha256(RevocationFormat.encode(revocation)))
    this.revocations.push(digest)
    return digest
  }

  async boot(role: Registration['role'], change: Partial<Registration> | 'unregistered' = {}): Promise<Boot> {
    const key = generateKeyPairSync('ed25519').privateKey
    const jwk = exportJwk(key)
    assert(jwk.kty === 'OKP')
    const boot = bootOf(jwk)
    const log = createEvidenceLog({
      store: this.store,
      bucket: { namespace: NAMESPACE, bucket: `evidence-${role}` },
      role,
      key,
      boot,
      software: 'confidential-worker 0.1.0',
      simulation: true,
      now: () => toUnixSeconds(this.now),
    })
    this.#signers.set(boot, keySigner(key))
    if (change !== 'unregistered') await this.register({ boot, jwk, role }, change)
    const made = { boot, key, jwk, log, role }
    if (role === 'verifier') this.#witness ??= made
    if (this.announces && change !== 'unregistered' && role === 'worker') await this.#announce(boot)
    return made
  }

  async #announce(worker: string): Promise<void> {
    this.#announcer ??= await this.boot('verifier')
    this.#announcer.log.append(this.registered(worker))
    await this.#announcer.log.flush()
  }

  async register(
    { boot, jwk, role }: Pick<Boot, 'boot' | 'jwk' | 'role'>,
    change: Partial<Registration> = {},
    by = grantCa,
  ) {
    const attestation = {
      ...this.attestation(boot),
      reference: 'reference-1',
      assurance: 'measured',
      client: 'research',
    } as const
    const registration: Registration = {
      v: 1,
      role,
      boot,
      origin: logOrigin(role, boot),
      key: jwk,
      attestation: role === 'worker' ? attestation : null,
      simulation: true,
      time: this.now,
      ...change,
    }
    await this.put(
      'evidence-verifier',
      registrationName(boot),
      await signCompact(RegistrationFormat, registration, by),
    )
  }

  /** The Verifier that cosigns: the first that was made. */
  get witness(): Boot {
    return this.#witness ?? assert.fail('no Verifier was made')
  }

  attestation(boot: string) {
    return {
      runtimeDataDigest: digestOf(boot),
      reportDigest: digestOf(`${boot} report`),
      measurement: MEASUREMENT,
    }
  }

  loaded(change: Partial<BodyOf<'policy.loaded'>> = {}): BodyOf<'policy.loaded'> {
    const policyDigest = toBase64url(sha256(canonicalBytes(policy)))
    const revocations = this.revocations.slice(0, 1)
    return { event: 'policy.loaded', policySeq: 1, policyDigest, revocationSeq: 1, revocations, ...change }
  }

  /** Publishes a policy of the quorum. Returns the digest that a log names. */
  async publishPolicy(change: Partial<Policy>): Promise<string> {
    const { name, signed } = await signDocument(POLICY, { ...policy, ...change }, signers)
    await this.put('governance', name, signed)
    return toBase64url(sha256(canonicalBytes({ ...policy, ...change })))
  }

  readonly datasets = policy.datasets

  datasetsAdministeredBy(administeredBy: 'provider' | 'consumer'): Policy['datasets'] {
    return policy.datasets.map((dataset) =>
      dataset.assurance.level === 'platform'
        ? { ...dataset, assurance: { level: 'platform', administeredBy } }
        : dataset,
    )
  }

  async copySeal(from: string, to: string): Promise<void> {
    const place = { namespace: NAMESPACE, bucket: 'governance' }
    await this.put(
      place.bucket,
      sealRecordName(to),
      await this.store.readAll({ ...place, name: sealRecordName(from) }, 65_536),
    )
  }

  denial(denialId: string): BodyOf<'release.denied'> {
    return { event: 'release.denied', jobId: randomId(), traceparent, denialId, code: 'guest-policy.debug' }
  }

  async decideAndFail(...release: Parameters<CollectionBuilder['decide']>): Promise<void> {
    await this.fail(release[0], await this.decide(...release), 'key.unopened')
  }

  /** The record of an object that was uploaded. */
  async recordSeal(sealId: string, headerDigest: string, by = sealing ?? assert.fail()): Promise<void> {
    const record = {
      v: 1,
      sealId,
      headerDigest,
      objectDigest: digestOf('object'),
      size: 1000,
      namespace: 'hospital',
      bucket: 'sealed',
      object: 'object',
      etag: 'etag',
      recordedAt: START - 100,
    } as const
    await this.put('governance', sealRecordName(sealId), await signCompact(SealRecordFormat, record, by))
  }

  registered(boot: string): BodyOf<'boot.registered'> {
    return {
      event: 'boot.registered',
      boot,
      reference: 'reference-1',
      assurance: 'measured',
      ...this.attestation(boot),
    }
  }

  /** A job over objects of its own, or over `count` members of a set. */
  async job(
    change: { dataset?: string; traceparent?: string; count?: number } = {},
    signer = sealing,
  ): Promise<ReleaseJob> {
    const { dataset = 'cohort', traceparent = newTraceparent(), count } = change
    const place = { tenant: DEPLOYMENT.tenant, dataset, keyId: KEY_ID, sealedAt: START - 100 }
    assert(signer !== undefined)
    const sealed = await sealedJob(place, signer, count)
    for (const { header } of sealed.objects) this.#sealed.set(digestOfHeader(header), sealed)
    return { traceparent, ...sealed }
  }

  digestsOf({ objects }: ReleaseJob): string[] {
    return objects.map(({ header }) => digestOfHeader(header))
  }

  readonly foreignAuditKey = foreignAuditKey

  /** A request of this worker, as the Verifier records it. */
  async request(
    worker: Pick<Boot, 'boot'>,
    jobs: readonly ReleaseJob[],
    change: { readonly measurement?: string; readonly debug?: boolean; readonly at?: number } = {},
  ): Promise<RealRequest> {
    const by = this.#signers.get(worker.boot) ?? assert.fail('the worker has no key')
    return await realRequest(policy, {
      by,
      asker: { client: 'research', purpose: 'HRESCH' },
      client,
      measurement: MEASUREMENT,
      trust: sha256(utf8('trust')),
      jobs,
      at: this.now,
      ...change,
    })
  }

  /** The entry on a worker that asks for these jobs. Returns its index. */
  async accept(
    verifier: Boot,
    worker: Pick<Boot, 'boot'>,
    jobs: readonly ReleaseJob[],
    change: Partial<Omit<BodyOf<'worker.accepted'>, 'event'>> = {},
    request?: RealRequest,
  ): Promise<number> {
    const { measurement } = change
    const isPlatform = measurement === PLATFORM_MEASUREMENT
    request ??= await this.request(worker, jobs, isPlatform ? { measurement } : {})
    const body: BodyOf<'worker.accepted'> = {
      event: 'worker.accepted',
      boot: worker.boot,
      client: 'research',
      purpose: 'HRESCH',
      nonceDigest: request.nonceDigest,
      reference: 'reference-1',
      assurance: 'measured',
      policySeq: 1,
      revocationSeq: 1,
      ...request.about,
      ...change,
    }
    const accepted = verifier.log.appendAll([body], request.objects)
    this.#requests.set(`${verifier.boot}/${accepted}`, request)
    return accepted
  }

  /**
   * One request for one job. With `accepted`, the entry on its worker is there already, and `job` is one of its
   * jobs. `more` are jobs that are decided later.
   */
  async decide(
    verifier: Boot,
    worker: Pick<Boot, 'boot'>,
    change: Partial<BodyOf<'release.decided'>> &
      Partial<Omit<BodyOf<'worker.accepted'>, 'event'>> & {
        jobId?: string
        job?: ReleaseJob
        more?: readonly ReleaseJob[]
        grant?: Partial<Grant>
        /** The time of the request; now by default. */
        decidedAt?: number
        request?: (request: RealRequest) => RealRequest
      } = {},
  ): Promise<Released> {
    const releaseId = change.releaseId ?? randomId()
    const {
      jobId = randomId(),
      grant: grantChange,
      job: given,
      more = [],
      decidedAt: at,
      request: rewrite,
      ...fields
    } = change
    const job = given ?? (await this.#jobOf(fields, releaseId))
    const named = <Body extends object>(body: Body): Partial<Body> =>
      Object.fromEntries(Object.entries(fields).filter(([field]) => field in body)) as Partial<Body>
    const asked =
      at === undefined && rewrite === undefined
        ? undefined
        : await this.request(worker, [job, ...more], at === undefined ? {} : { at })
    const accepted =
      change.accepted ??
      (await this.accept(
        verifier,
        worker,
        [job, ...more],
        named(ACCEPTED_FIELDS),
        asked && (rewrite?.(asked) ?? asked),
      ))
    const dataset = policy.datasets.find(({ id }) => id === change.dataset) ?? cohort
    const permission =
      dataset.permissions.find(({ id }) => id === change.permission) ?? dataset.permissions[0]
    assert(permission !== undefined)
    const { termsBytes, termsDigest, scopesDigest } = grantedTerms(permission)
    const body: BodyOf<'release.decided'> = {
      event: 'release.decided',
      releaseId,
      accepted,
      traceparent: job.traceparent,
      permission: 'cohort-research',
      dataset: 'cohort',
      headerDigests: job.objects.map(({ header }) => digestOfHeader(header)),
      edition: 1,
      termsDigest,
      scopesDigest,
      consent: null,
      disclosure: false,
      quota: { begins: this.now - (this.now % 86_400), used: NO_SIZE },
    }
    const decided = { ...body, ...named(body) }
    const index = verifier.log.appendAll([decided], [recorded('terms', termsBytes)])
    const { checkpoint } = await verifier.log.flush()
    const request = this.#requests.get(`${verifier.boot}/${accepted}`) ?? (await this.request(worker, [job]))
    const { jws, grants } = await signGrant({
      ...grantOf(grantedAs(job, { dataset, permission }, acceptedAs(change), decided.disclosure), {
        asker: request.proven.asker,
        policy,
        now: request.time,
        releaseId,
        nonce: request.proven.request.runtimeData.nonce,
        boot: worker.boot,
        wrapKey: request.proven.request.wrapKey,
        expiry: endOfGrant(
          { permission, verdict: acceptedAs(change) },
          policy,
          { grantKey: grantKey.exp, verifierKeys: KEYS_END },
          request.time,
        ),
        revocationSeq: 1,
        consent: null,
        keys: job.objects.map(() => 'a.b.c.d.e'),
        log: { boot: verifier.boot, checkpoint, index },
      }),
      policySeq: change.policySeq ?? 1,
      revocationSeq: change.revocationSeq ?? 1,
      ...grantChange,
    })
    return {
      releaseId,
      jobId,
      grantDigest: grantDigest(jws),
      grants,
      headerDigests: decided.headerDigests,
      traceparent: decided.traceparent,
      dataset: decided.dataset,
      permission: decided.permission,
      verifier: { boot: verifier.boot, index, checkpointDigest: noteDigest(checkpoint) },
      checkpoint,
    }
  }

  /** The job of these objects, if the builder has sealed them. */
  async #jobOf(
    { headerDigests: [first = ''] = [], dataset, traceparent }: Partial<BodyOf<'release.decided'>>,
    releaseId: string,
  ): Promise<ReleaseJob> {
    const trace = traceparent ?? `00-${releaseId}-${'2'.repeat(16)}-01`
    const sealed = this.#sealed.get(first)
    if (sealed !== undefined) return { traceparent: trace, ...sealed }
    return await this.job({ traceparent: trace, ...(dataset === undefined ? {} : { dataset }) })
  }

  async issue(
    verifier: Boot,
    { releaseId, grantDigest, grants }: Pick<Released, 'releaseId' | 'grantDigest' | 'grants'>,
  ): Promise<void> {
    const body = { event: 'release.issued', releaseId, grantDigest, grantsDigest: grants.digest } as const
    verifier.log.appendAll([body], [grants])
    await verifier.log.flush()
  }

  async fail(verifier: Boot, { releaseId }: Released, code: ErrorCode): Promise<void> {
    verifier.log.append({ event: 'release.failed', releaseId, code })
    await verifier.log.flush()
  }

  /** A later boot of the Verifier tells that the log of the release stands still at its decision. */
  async interrupt(
    later: Boot,
    { releaseId, verifier: { boot, index, checkpointDigest } }: Released,
    change: Partial<BodyOf<'release.interrupted'>['verifier']> = {},
  ): Promise<void> {
    const verifier = { boot, size: index + 1, checkpointDigest, ...change }
    later.log.append({ event: 'release.interrupted', releaseId, verifier })
    await later.log.flush()
  }

  async receive(
    worker: Boot,
    { releaseId, jobId, grantDigest, headerDigests, traceparent, verifier }: Released,
    change: Partial<BodyOf<'key.received'>> = {},
  ): Promise<void> {
    worker.log.append({
      event: 'key.received',
      jobId,
      traceparent,
      releaseId,
      grantDigest,
      headerDigests,
      verifier,
      ...change,
    })
    await worker.log.flush()
  }

  /** Writes intent, parts and manifest, then `result.visible` unless the worker dies before it. */
  async publish(
    worker: Boot,
    released: Released,
    change: {
      readonly manifest?: Partial<ResultManifest>
      readonly intent?: Partial<BodyOf<'result.intent'>> | 'none'
      readonly witnessed?: 'none'
      readonly permit?: Partial<Permit>
      readonly commit?: Partial<Commit> | 'none'
      readonly visible?: Partial<BodyOf<'result.visible'>> | 'none'
      readonly parts?: 'none'
      readonly signer?: Signer
      readonly name?: string
    } = {},
  ): Promise<{ resultId: string; attempt: string; digest: string }> {
    const { releaseId, grantDigest, headerDigests, traceparent, checkpoint } = released
    const { dataset, permission } = released
    const resultId = resultIdOf({ tenant: 'hospital', dataset, permission, edition: 1, headerDigests })
    const attempt = randomId()
    const parts = [Buffer.alloc(1000, 1), Buffer.alloc(10, 2)]
    const recipientThumbprint = thumbprint(recipient.jwk)
    const contentDigest = toBase64url(sha256(...parts))
    const intent = {
      event: 'result.intent',
      releaseId,
      resultId,
      attempt,
      contentDigest,
      outputDigest: digestOf(`output of ${resultId}`),
      termsDigest,
    } as const
    const intentIndex =
      change.intent === 'none'
        ? 0
        : worker.log.append({
            ...intent,
            recipient: recipientThumbprint,
            counts: SEALED_COUNTS,
            ...change.intent,
          })
    const sealed = await worker.log.flush()
    if (change.parts !== 'none')
      for (const [n, bytes] of parts.entries())
        await this.put('results', partName(resultId, attempt, n), bytes)
    const outputDigest = intent.outputDigest
    const signed = {
      resultId,
      attempt,
      contentDigest,
      outputDigest,
      boot: worker.boot,
      intentIndex,
      size: sealed.size,
      iat: this.now,
      // Of a Verifier that permits whatever the manifest says.
      ...pick(change.manifest ?? {}, ['attempt', 'contentDigest', 'intentIndex']),
      ...change.permit,
    }
    const witnessed = cosignBy(this.witness, sealed.checkpoint, this.now)
    if (change.witnessed !== 'none') await this.keepWitnessed(worker, sealed.size, witnessed)
    if (change.commit !== 'none')
      await this.commit(resultId, { v: 1, outputDigest, consent: null, releaseId, ...change.commit })
    const manifest: ResultManifest = {
      v: 1,
      resultId,
      attempt,
      boot: worker.boot,
      parts: parts.map((bytes) => ({ size: bytes.byteLength, digest: toBase64url(sha256(bytes)) })),
      contentDigest,
      contentType: 'application/json',
      wrappedDek: toBase64url(Buffer.alloc(256)),
      recipient: { keyId: KEY_ID, keyVersionId: KEY_ID, thumbprint: recipientThumbprint },
      releaseId,
      traceparent,
      grantDigest,
      termsDigest,
      headerDigests,
      workload: { name: workload.name, digest: workload.digest },
      simulation: true,
      committedAt: this.now,
      verifierCheckpoint: checkpoint,
      workerCheckpoint: witnessed,
      intentIndex,
      ...(await permitBy(grantCa, signed)),
      ...change.manifest,
    }
    const jws = await signCompact(ResultManifestFormat, manifest, change.signer ?? keySigner(worker.key))
    await this.put('results', change.name ?? manifestName(resultId), jws)
    const digest = manifestDigest(jws)
    if (change.visible !== 'none')
      worker.log.append({
        event: 'result.visible',
        releaseId,
        resultId,
        attempt,
        manifestDigest: digest,
        ...change.visible,
      })
    await worker.log.flush()
    return { resultId, attempt, digest }
  }

  /** What the Verifier keeps of a checkpoint that it cosigned. */
  async keepWitnessed({ boot }: Pick<Boot, 'boot'>, size: number, note: string): Promise<void> {
    await this.put('evidence-verifier', witnessedName(boot, this.#witnessed.get(boot) ?? 0), note)
    this.#witnessed.set(boot, size)
  }

  /** The provider's commit of a result, unless one is there. */
  async commit(resultId: string, commit: Commit): Promise<void> {
    if (this.#committed.has(resultId)) return
    this.#committed.add(resultId)
    await this.put('evidence-verifier', commitName(resultId), CommitFormat.encode(commit))
  }

  /** A release that is decided, issued and received. */
  async release(
    verifier: Boot,
    worker: Boot,
    change: Parameters<CollectionBuilder['decide']>[2] = {},
  ): Promise<Released> {
    const released = await this.decide(verifier, worker, change)
    await this.issue(verifier, released)
    await this.receive(worker, released)
    return released
  }

  /** The refusal of jobs that ask for a dataset which the policy does not have. */
  async refuseJobs(
    verifier: Boot,
    accepted: number,
    jobs: readonly ReleaseJob[],
    change: Partial<BodyOf<'release.refused'>> = {},
  ): Promise<void> {
    verifier.log.append({
      event: 'release.refused',
      denialId: randomId(),
      accepted,
      dataset: null,
      headerDigests: jobs.flatMap(({ objects }) => objects.map(({ header }) => digestOfHeader(header))),
      traceparents: jobs.map(({ traceparent }) => traceparent),
      reasons: [{ ...SHOUTED, code: 'permission.none', field: 'datasets.permissions' }],
      quota: null,
      ...change,
    })
    await verifier.log.flush()
  }

  /** A worker that is refused since its guest may be debugged. Returns the entry. */
  async refuse(
    verifier: Boot,
    worker: Pick<Boot, 'boot'>,
    change: Partial<BodyOf<'worker.refused'>> = {},
  ): Promise<BodyOf<'worker.refused'>> {
    const { body, objects } = await this.refusal(worker)
    const refusal = { ...body, ...change }
    verifier.log.appendAll([refusal], objects)
    await verifier.log.flush()
    return refusal
  }

  async refusal(worker: Pick<Boot, 'boot'>) {
    const job = await this.job({ traceparent })
    const { proven, time, about, objects } = await this.request(worker, [job], { debug: true })
    const { trust } = proven.request.runtimeData
    const verdict = appraise(proven.verified, policy, { trust, at: time, revocation: nothingRevoked })
    assert(verdict.kind === 'refused')
    const body: BodyOf<'worker.refused'> = {
      event: 'worker.refused',
      denialId: randomId(),
      boot: worker.boot,
      client: 'research',
      purpose: 'HRESCH',
      datasets: ['cohort'],
      headerDigests: job.objects.map(({ header }) => digestOfHeader(header)),
      traceparents: [traceparent],
      reasons: verdict.reasons.map((reason) => ({ ...reason, actual: SHOUTED.actual })),
      nearest: verdict.distances.map(({ reference, fields }) => ({
        reference,
        differences: fields.length,
        fields: [...fields],
      })),
      policySeq: 1,
      revocationSeq: 1,
      ...about,
    }
    return { body, objects }
  }
}

/** A reason in which a requester tries to write to the reader's terminal. */
const SHOUTED: Omit<Refusal, 'code' | 'field'> = {
  expected: 'forbidden',
  actual: 'set\u001b[2J',
  remedy: 'launch the guest without debugging',
}

/** Only the names count. */
const ACCEPTED_FIELDS = {
  boot: '',
  client: '',
  purpose: '',
  nonceDigest: '',
  reference: '',
  assurance: 'measured',
  policySeq: 1,
  revocationSeq: 0,
  runtimeDataDigest: '',
  reportDigest: '',
  measurement: '',
  requestDigest: '',
  tokenDigest: '',
  jti: '',
  scopesDigest: null,
} as const satisfies Omit<BodyOf<'worker.accepted'>, 'event'>

function acceptedAs({
  reference,
  assurance = 'measured',
}: {
  reference?: string
  assurance?: Grant['assurance']
}) {
  return { ...acceptedAt(assurance), reference: reference ?? 'reference-1' }
}

const newTraceparent = () => `00-${randomId()}-${'2'.repeat(16)}-01`

async function signGrant(grant: Grant) {
  const jws = await signCompact(GrantFormat, grant, grantSigner)
  const certificate = await signCompact(GrantKeyFormat, grantKey, grantCa)
  const bytes = GrantsRecordFormat.encode({ v: 1, grantKey: certificate, grants: [jws] })
  return { jws, grants: recorded('grants', bytes) }
}

/** The signed policy of the collection with changes, and the name of its object. */
export async function signPolicy(change: Partial<Policy>, by: readonly Signer[] = signers) {
  const { name, signed } = await signDocument(POLICY, { ...policy, ...change }, by)
  return { name: `governance/${name}`, bytes: canonicalBytes(signed) }
}

function pick<T, K extends keyof T>(from: T, fields: readonly K[]): Partial<Pick<T, K>> {
  const picked: Partial<Pick<T, K>> = {}
  for (const field of fields) if (from[field] !== undefined) picked[field] = from[field]
  return picked
}
