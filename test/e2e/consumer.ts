/**
 * The consumer at a machine of his own: an approved guest whose worker does not run, so that he may ask with its
 * configuration as he likes. His Vault signs what he wants.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createLog } from '#adapters/system/log.ts'
import { bootOf } from '#core/boot/boot.ts'
import { toHex } from '#core/bytes.ts'
import type { Job } from '#core/job/job.ts'
import { peekCompact } from '#core/jws.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import { RefusalFormat } from '#core/release/refusal.ts'
import type { RefusedResponse, ReleaseJob, ReleaseResponse } from '#core/release/request.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import { readInput, releaseJobOf } from '../../src/worker/input.ts'
import { readMaterial } from '../../src/worker/material.ts'
import { workerKeys } from '../core/release/releaseWorld.ts'
import type { SystemUnderTest } from './systemUnderTest.ts'

const SOFTWARE = 'hostile/1'

export type Consumer = {
  /** What a worker would ask for this job. */
  readonly jobOf: (job: Job) => Promise<ReleaseJob>
  /** No job is a preflight. */
  readonly ask: (jobs: readonly ReleaseJob[], scope?: string) => Promise<ReleaseResponse | RefusedResponse>
  readonly close: () => Promise<void>
}

/**
 * `url`: the one replica that he asks; by default the addresses that the configuration has. `keepsLog`: his boot
 * has a log, as a worker's has, so that an audit misses nothing.
 */
export async function openConsumer(
  { deployment }: SystemUnderTest,
  options: { readonly machine?: string; readonly url?: string; readonly keepsLog?: boolean } = {},
): Promise<Consumer> {
  const { machine = 'worker-2', url, keepsLog = false } = options
  const read = WorkerConfig.parse(JSON.parse(await readFile(deployment.configOf(machine), 'utf8')))
  const config = url === undefined ? read : { ...read, verifier: { ...read.verifier, urls: [url] } }
  const { service, reports, trust, oci } = await readMaterial(
    config,
    systemClock,
    createLog('consumer', 'error'),
  )
  const { audience, client, purpose } = trust.anchors
  const { evidence: key, evidenceKey, evidenceSigner } = workerKeys()
  const log = createEvidenceLog({
    store: oci.objectStore(),
    bucket: config.evidence,
    role: 'worker',
    key,
    boot: bootOf(evidenceKey),
    software: SOFTWARE,
    simulation: true,
    now: systemClock.now,
  })
  if (keepsLog) await log.flush()
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    if (keepsLog) await log.close('drained')
    service.close()
    oci.close()
  }
  return {
    jobOf: async (job) =>
      releaseJobOf(job, await readInput(job, oci.objectStore(), new AbortController().signal)),
    ask: async (jobs, scope) => {
      const { wrapKey } = workerKeys()
      const challenge = await service.challenge()
      const prepared = await prepareRequest({
        challenge,
        audience,
        jobs,
        asker: { client, purpose, ...(scope === undefined ? {} : { scope }) },
        signer: await oci.keyVault().signer(config.client.keyId),
        jti: toHex(randomBytes(16)),
        wrapKey,
        evidenceSigner,
        trust: trust.digest,
        software: SOFTWARE,
      })
      const report = await reports.getReport(prepared.reportData, new AbortController().signal)
      return await service.release(prepared.withEvidence(report), challenge.nonce)
    },
    close: () => {
      closed ??= close()
      return closed
    },
  }
}

/** The code of a signed refusal. */
export function refusalCode({ refusal }: { readonly refusal: string }): string {
  return peekCompact(RefusalFormat, refusal, 'verifier.untrusted').payload.code
}
