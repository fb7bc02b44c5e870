/** Buckets of the test tenancies, and helpers for tests of Object Storage. */
import assert from 'node:assert/strict'
import type { ObjectStorageClient } from 'oci-objectstorage'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { CONSUMER_NAMESPACE, PROVIDER_NAMESPACE, testConfig } from './testEmulator.ts'

export const outbox = { namespaceName: PROVIDER_NAMESPACE, bucketName: 'outbox' }
export const governance = { namespaceName: PROVIDER_NAMESPACE, bucketName: 'governance' }
export const results = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'results' }
export const state = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'worker-state' }

/** A configuration whose buckets emit no events. */
export function configWithoutEvents(change: (config: EmulatorConfig) => void = () => {}) {
  return testConfig({
    change: (config) => {
      for (const bucket of config.buckets) bucket.objectEvents = false
      change(config)
    },
  })
}

/** A check for `assert.rejects`: exactly this status and this code of OCI. */
export function refusedWith(statusCode: number, serviceCode: string) {
  return (error: unknown): boolean => {
    const { statusCode: status, serviceCode: code } = error as { statusCode?: number; serviceCode?: string }
    assert.deepEqual({ status, code }, { status: statusCode, code: serviceCode })
    return true
  }
}

export async function bodyOf(
  client: ObjectStorageClient,
  request: Parameters<ObjectStorageClient['getObject']>[0],
): Promise<Buffer> {
  const { value } = await client.getObject(request)
  const chunks: Uint8Array[] = []
  for await (const chunk of value as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
