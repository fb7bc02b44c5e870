/** The hospital's policy signers at work while a deployment runs. */
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromBase64url } from '#core/bytes.ts'
import { keySigner, parseGeneral, type Signer } from '#core/jws.ts'
import { type Permission, POLICY, type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { publish } from '#lab/demo/governance.ts'
import { PROVIDER, SIGNERS } from '#lab/demo/names.ts'
import { nameOfDocument } from '../governanceDocuments.ts'
import { type SystemUnderTest, waitForLine } from './systemUnderTest.ts'

export const GOVERNANCE = { namespace: PROVIDER.namespace, bucket: 'governance' }

/** All of them, more than the quorum. */
export async function policySigners({ deployment }: SystemUnderTest): Promise<readonly Signer[]> {
  return await Promise.all(
    SIGNERS.map(async (person) =>
      keySigner(createPrivateKey(await readFile(join(deployment.folders.keys, `${person}.pem`)))),
    ),
  )
}

export function withPermissions(
  policy: Policy,
  change: (permission: Permission) => readonly Permission[],
): Policy {
  return {
    ...policy,
    datasets: policy.datasets.map((dataset) => ({
      ...dataset,
      permissions: dataset.permissions.flatMap(change),
    })),
  }
}

/** The first policy under another number, changed. Returns when it is in force. */
export async function publishPolicy(
  system: SystemUnderTest,
  seq: number,
  change: (policy: Policy) => Policy,
): Promise<void> {
  const store = system.deployment.ociAs('governor').objectStore()
  const signed = await store.readAll(
    { ...GOVERNANCE, name: await nameOfDocument(store, GOVERNANCE, 'policy', 1) },
    1_000_000,
  )
  const { payload } = parseGeneral(signed, 'policy.invalid')
  const policy = { ...change(PolicyFormat.decode(fromBase64url(payload))), seq }
  await publish(store, POLICY, policy, await policySigners(system))
  await waitForLine(system, 'policy loaded', { policySeq: seq })
}
