/** A request of an approved machine with an assertion that the consumer's Vault signs, whatever it says. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { toHex } from '#core/bytes.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import type { Material } from '../../src/worker/material.ts'
import { workerKeys } from '../core/release/releaseWorld.ts'

/** `config` is the file of the machine's worker, whose material this is. */
export async function requestAs(
  { service, reports, trust, oci }: Material,
  config: string,
  jobs: readonly ReleaseJob[],
  scope?: string,
) {
  const { client } = WorkerConfig.parse(JSON.parse(await readFile(config, 'utf8')))
  const { wrapKey, evidenceSigner } = workerKeys()
  const { audience, client: id, purpose } = trust.anchors
  const challenge = await service.challenge()
  const prepared = await prepareRequest({
    challenge,
    audience,
    jobs,
    asker: { client: id, purpose, ...(scope === undefined ? {} : { scope }) },
    signer: await oci.keyVault().signer(client.keyId),
    jti: toHex(randomBytes(16)),
    wrapKey,
    evidenceSigner,
    trust: trust.digest,
    software: 'hostile/1',
  })
  const report = await reports.getReport(prepared.reportData, new AbortController().signal)
  return await service.release(prepared.withEvidence(report), challenge.nonce)
}
