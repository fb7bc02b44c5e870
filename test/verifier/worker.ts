/** A worker's side of a release, step by step, so that a test can change each step. */
import { randomBytes } from 'node:crypto'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url, toHex } from '#core/bytes.ts'
import type { Signer } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import { acceptAnswer, acceptRefused, type Expectation, keysOf } from '#core/release/accept.ts'
import type { Asker } from '#core/release/assertion.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import type { ReleaseJob, ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'
import { trustDigest } from '#core/release/trust.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { mint } from '../amd.ts'
import { root, workerKeys } from '../core/release/releaseWorld.ts'
import { ANCHORS, AUDIENCE, type Deployment } from './deployment.ts'
import { expectDescribed, expectDescribedRequest } from './described.ts'
import type { Identity } from './tls.ts'

export const ASKER: Asker = { client: 'acme', purpose: 'HRESCH' }

/** The differences from a good worker. */
export type WorkerChanges = {
  readonly platform?: Partial<PlatformInput>
  readonly asker?: Asker & { readonly scope?: string }
  readonly signer?: Signer
  readonly trust?: Uint8Array
  readonly challenge?: (challenge: Challenge) => Challenge
  readonly reportData?: (reportData: Buffer) => Buffer
  /** Signs in place of the worker's evidence key. */
  readonly evidenceSigner?: Signer
  readonly request?: (request: ReleaseRequest) => ReleaseRequest | Promise<ReleaseRequest>
}

/** `floor`: of a worker that asks at several addresses. */
export function createWorker(deployment: Deployment, url: string, identity?: Identity, floor = new Floor()) {
  const { ca, authority } = deployment
  const tls = { ca: ca.pem, crl: [ca.crl], ...(identity ?? ca.issue('worker')) }
  const service = createReleaseService({
    url,
    tls: () => tls,
    timeoutMs: 30_000,
  })
  const { wrap, wrapKey, evidence, evidenceKey, evidenceSigner } = workerKeys()
  const boot = bootOf(evidenceKey)

  const prepare = async (jobs: readonly ReleaseJob[], changes: WorkerChanges = {}) => {
    const { challenge = (same) => same, reportData = (same) => same, request = (same) => same } = changes
    const asked = challenge(await service.challenge())
    const prepared = await prepareRequest({
      challenge: asked,
      audience: AUDIENCE,
      jobs,
      asker: changes.asker ?? ASKER,
      signer: changes.signer ?? deployment.client,
      jti: toHex(randomBytes(16)),
      wrapKey,
      evidenceSigner: changes.evidenceSigner ?? evidenceSigner,
      trust: changes.trust ?? trustDigest({ ...ANCHORS, workloads: [] }),
      software: 'test/1',
    })
    const { bytes, certs } = mint(authority, changes.platform, {
      reportData: reportData(prepared.reportData),
    })
    return {
      request: await request(prepared.withEvidence({ report: bytes, certs })),
      nonce: asked.nonce,
    }
  }

  const expectation = (jobs: readonly ReleaseJob[], nonce: string): Expectation => ({
    providerRoot: root,
    audience: AUDIENCE,
    asker: ASKER,
    boot,
    nonce: fromBase64url(nonce),
    wrapKey,
    jobs,
    simulation: true,
    now: systemClock.now(),
    floor,
  })

  return {
    service,
    boot,
    evidence,
    prepare,
    /** Verifies an answer to this worker's request. */
    accept: (response: ReleaseResponse, jobs: readonly ReleaseJob[], nonce: string) =>
      acceptAnswer(response, expectation(jobs, nonce)),
    /** Throws a signed refusal of the whole request, verified. */
    ask: async (jobs: readonly ReleaseJob[], changes?: WorkerChanges): Promise<ReleaseResponse> => {
      const { request, nonce } = await prepare(jobs, changes)
      const response = await service.release(request, nonce)
      if ('refusal' in response) throw acceptRefused(response, expectation(jobs, nonce))
      return response
    },
    /** Asks as a good worker does. Core verifies the answer, and the OpenAPI document says both. */
    obtain: async (jobs: readonly ReleaseJob[], changes?: WorkerChanges) => {
      const { request, nonce } = await prepare(jobs, changes)
      expectDescribedRequest('/v1/releases', JSON.stringify(request))
      const response = await service.release(request, nonce)
      if ('refusal' in response) throw acceptRefused(response, expectation(jobs, nonce))
      const text = JSON.stringify(response)
      expectDescribed('/v1/releases', { status: 200, type: 'application/json', text })
      const answers = acceptAnswer(response, expectation(jobs, nonce))
      return answers.map((answer) =>
        answer.kind === 'granted'
          ? { ...answer, opened: answer.keys.map((_, index) => keysOf(answer, index, wrap, plainMemory)) }
          : answer,
      )
    },
  }
}
