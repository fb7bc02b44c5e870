/** Requests as workers make them, on simulated machines, as a Verifier proves and records them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { AcceptedVerdict } from '#core/appraisal/appraise.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import type { LogObject } from '#core/evidence/growth.ts'
import { type RequestRecord, RequestRecordFormat, recorded } from '#core/evidence/record.ts'
import { peekCompact, type Signer, signCompact } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import { tokenOf } from '#core/release/assertion.ts'
import { bindRequest, type ProvenRequest, proveRequest } from '#core/release/authentic.ts'
import { readRequest } from '#core/release/binding.ts'
import type { GrantedJob } from '#core/release/decide.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import { memberName } from '#core/sealed/set.ts'
import { SetRecordFormat } from '#core/sealed/setRecord.ts'
import { toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import { recordRequest } from '../../../src/verifier/requestRecord.ts'
import { mint, storeOf, testAuthority } from '../../amd.ts'
import { workerKeys } from '../release/releaseWorld.ts'

export const amd = await testAuthority()
const roots = storeOf(amd)
const nonceKey = { epoch: 1, key: randomBytes(32) }

export type RealRequest = {
  readonly proven: ProvenRequest
  readonly time: UnixSeconds
  readonly objects: readonly LogObject[]
  /** What the entry on the worker says of it. */
  readonly about: {
    readonly runtimeDataDigest: string
    readonly reportDigest: string
    readonly measurement: string
    readonly requestDigest: string
    readonly tokenDigest: string
    readonly jti: string
    readonly scopesDigest: string | null
  }
  readonly nonceDigest: string
}

export async function realRequest(
  { audience, clients }: Pick<Policy, 'audience' | 'clients'>,
  asked: {
    readonly by: Signer
    readonly asker: { readonly client: string; readonly purpose: string }
    readonly client: Signer
    readonly measurement: string
    readonly trust: Uint8Array
    readonly jobs: readonly ReleaseJob[]
    readonly at: number
    readonly debug?: boolean
  },
): Promise<RealRequest> {
  const time = toUnixSeconds(asked.at)
  const nonce = mintNonce(nonceKey, audience, time, randomBytes(16))
  const { wrapKey } = workerKeys()
  const prepared = await prepareRequest({
    challenge: { nonce: toBase64url(nonce), exp: time + 300, aud: audience },
    audience,
    jobs: asked.jobs,
    asker: asked.asker,
    signer: asked.client,
    jti: toHex(randomBytes(16)),
    wrapKey,
    evidenceSigner: asked.by,
    trust: asked.trust,
    software: 'test/1',
  })
  const platform = { measurement: asked.measurement, guestPolicy: { debug: asked.debug ?? false } }
  const { bytes, certs } = mint(amd, platform, { reportData: prepared.reportData })
  const body = utf8(JSON.stringify(prepared.withEvidence({ report: bytes, certs })))
  const request = readRequest(body)
  const proven = proveRequest(bindRequest(request, audience), { clients, audience, roots, crls: [] }, time)
  const { digest, objects } = recordRequest({ ...proven, crl: undefined, time }, roots)
  return {
    proven,
    time,
    objects,
    about: {
      runtimeDataDigest: toBase64url(sha256(request.runtimeDataBytes)),
      reportDigest: toBase64url(sha256(request.report)),
      measurement: toHex(proven.verified.report.measurement),
      requestDigest: digest,
      ...tokenOf(request.clientAssertion),
      scopesDigest: proven.asker.scopesDigest,
    },
    nonceDigest: toBase64url(sha256(nonce)),
  }
}

/** Objects of a dataset: one of its own, or the members of a set. */
export async function sealedJob(
  place: {
    readonly tenant: string
    readonly dataset: string
    readonly keyId: string
    readonly sealedAt: number
  },
  sealing: Signer,
  count = 1,
): Promise<Pick<ReleaseJob, 'set' | 'objects'>> {
  const { keyId, tenant, dataset, sealedAt } = place
  const set = count === 1 ? null : toHex(randomBytes(16))
  const headers = Array.from({ length: count }, (): SealHeader => {
    const sealId = toHex(randomBytes(16))
    return {
      v: 1,
      tenant,
      dataset,
      object: set === null ? sealId : memberName(set, sealId),
      sealId,
      size: 1234,
      contentType: 'application/fhir-ndjson',
      sealedAt,
      set,
      minimised: null,
      baseUrl: null,
      custody: { mode: 'rewrap', keyId, keyVersionId: keyId, wrappedDek: toBase64url(randomBytes(60)) },
    }
  })
  const objects = await Promise.all(
    headers.map(async (header) => ({
      header: await signCompact(SealHeaderFormat, header, sealing),
      bucket: 'outbox',
      name: header.object,
      etag: 'e-1',
    })),
  )
  if (set === null) return { objects }
  const members = headers.map(({ sealId, size }, n) => ({
    sealId,
    size,
    headerDigest: digestOfHeader(objects[n]?.header ?? ''),
  }))
  const record = { v: 1, tenant, dataset, set, name: set, members, sealedAt } as const
  return { set: await signCompact(SetRecordFormat, record, sealing), objects }
}

export const digestOfHeader = (header: string) => toBase64url(headerDigest(header))

/** What the decision on such a job has, whatever any rule says. */
export function grantedAs(
  job: ReleaseJob,
  { dataset, permission }: Pick<GrantedJob, 'dataset' | 'permission'>,
  verdict: AcceptedVerdict,
  disclosure: boolean,
): GrantedJob {
  const set =
    job.set === undefined ? null : peekCompact(SetRecordFormat, job.set, 'object.malformed').payload.set
  const objects = job.objects.map((reference) => ({
    reference,
    header: peekCompact(SealHeaderFormat, reference.header, 'object.malformed').payload,
    headerDigest: headerDigest(reference.header),
  }))
  return { kind: 'granted', verdict, dataset, permission, set, objects, consent: null, disclosure }
}

/** The request with another record, under the digest of that record. */
export function rerecorded(
  real: RealRequest,
  change: (record: RequestRecord) => Partial<RequestRecord>,
  more: readonly LogObject[] = [],
): RealRequest {
  const own = real.objects.find(({ name }) => name.startsWith('request/'))
  assert.ok(own !== undefined)
  const record = RequestRecordFormat.decode(own.bytes)
  const other = recorded('request', RequestRecordFormat.encode({ ...record, ...change(record) }))
  const objects = [...real.objects.filter((object) => object !== own), other, ...more]
  return { ...real, objects, about: { ...real.about, requestDigest: other.digest } }
}
