import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { createFaults } from '#lab/emulator/faults.ts'
import { instanceProvider, objectStorageOf } from './clients.ts'
import { CONSUMER_NAMESPACE, emulatorFor, testConfig } from './testEmulator.ts'

const state = { namespaceName: CONSUMER_NAMESPACE, bucketName: 'worker-state' }

async function arm(emulator: Emulator, fault: object): Promise<number> {
  const response = await fetch(`${emulator.endpoint}/emulator/faults`, {
    method: 'POST',
    body: JSON.stringify(fault),
  })
  await response.arrayBuffer()
  return response.status
}

test('a fault hits the calls that match it, the armed number of times', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const put = (objectName: string) =>
    worker.putObject({
      ...state,
      objectName,
      ifNoneMatch: '*',
      contentLength: 1,
      putObjectBody: Buffer.from('x'),
    })
  const exists = async (objectName: string) => {
    const { listObjects } = await worker.listObjects({ ...state, prefix: objectName })
    return listObjects.objects.length === 1
  }

  await arm(emulator, { service: 'objectstorage', match: { method: 'PUT' }, status: 429, times: 2 })
  for (const _ of [1, 2]) await assert.rejects(put('a'), { statusCode: 429, serviceCode: 'TooManyRequests' })
  await put('a')

  await arm(emulator, { service: 'objectstorage', match: { path: '/o/b' }, reset: 'before', times: 1 })
  await put('c')
  await assert.rejects(put('b'), { message: 'fetch failed' })
  assert.equal(await exists('b'), false)

  await arm(emulator, { service: 'objectstorage', match: { method: 'PUT' }, reset: 'after', times: 1 })
  await assert.rejects(put('d'), { message: 'fetch failed' })
  assert.equal(await exists('d'), true)

  assert.equal(await arm(emulator, { service: 'objectstorage', times: 0 }), 400)
  assert.equal(await arm(emulator, { service: 'objectstorage', status: 503, times: 9 }), 200)
  await fetch(`${emulator.endpoint}/emulator/faults`, { method: 'DELETE' })
  await put('e')
})

test('a call takes the first armed fault that matches, until that is used up', () => {
  const faults = createFaults()
  faults.arm({ service: 'vault', match: { path: '/decrypt', principal: 'p' }, status: 503, times: 1 })
  faults.arm({ service: 'vault', status: 429, times: 2 })
  const take = (service: string, path: string, principal: string) =>
    faults.take({ service, path, principal, method: 'POST' })?.status
  assert.equal(take('streaming', '/decrypt', 'p'), undefined)
  assert.equal(take('vault', '/decrypt', 'q'), 429)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), 503)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), 429)
  assert.equal(take('vault', '/20180608/decrypt', 'p'), undefined)
  for (const malformed of [
    {},
    { service: 'x', times: 0 },
    { service: 'x', times: 1, status: 200 },
    { service: 'x', times: 1, more: 1 },
  ])
    assert.throws(() => faults.arm(malformed))
})
