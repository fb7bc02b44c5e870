import assert from 'node:assert/strict'
import { createHash, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { ResourcePrincipalAuthenticationDetailsProvider } from 'oci-common'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import { instanceProvider, objectStorageOf } from './clients.ts'
import {
  apiKey,
  CONSUMER,
  CONSUMER_NAMESPACE,
  emulatorFor,
  id,
  PROVIDER_NAMESPACE,
  testConfig,
} from './testEmulator.ts'

const KEY_ID = `${CONSUMER}/${id('user', 'researcher')}/${fingerprintOf(apiKey.publicKey)}`
const LIST = `/n/${CONSUMER_NAMESPACE}/b/results/o`
const CREATE_UPLOAD = `/n/${CONSUMER_NAMESPACE}/b/results/u`

type Signing = {
  readonly method?: string
  readonly path?: string
  readonly signedPath?: string
  readonly keyId?: string
  readonly key?: KeyObject
  readonly headers?: readonly string[]
  readonly sent?: Readonly<Record<string, string>>
  readonly authorization?: (header: string) => string
  readonly body?: string
}

/** Sends a request signed as OCI demands, except for what the case changes. */
async function statusOf(emulator: Emulator, signing: Signing): Promise<number> {
  const { method = 'GET', path = LIST, body, key = apiKey.privateKey } = signing
  const values: Record<string, string> = {
    date: new Date().toUTCString(),
    host: new URL(emulator.endpoint).host,
    ...(body === undefined
      ? {}
      : {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
          'x-content-sha256': createHash('sha256').update(body).digest('base64'),
        }),
    ...signing.sent,
  }
  const names = signing.headers ?? [
    'date',
    '(request-target)',
    'host',
    ...(body === undefined ? [] : ['content-type', 'content-length', 'x-content-sha256']),
  ]
  const text = names
    .map(
      (name) =>
        `${name}: ${name === '(request-target)' ? `${method.toLowerCase()} ${signing.signedPath ?? path}` : values[name]}`,
    )
    .join('\n')
  const signature = createSign('RSA-SHA256').update(text).sign(key, 'base64')
  const header = `Signature version="1",keyId="${signing.keyId ?? KEY_ID}",algorithm="rsa-sha256",headers="${names.join(' ')}",signature="${signature}"`
  const { host: _, 'content-length': __, ...sent } = values
  const response = await fetch(emulator.endpoint + path, {
    method,
    headers: { ...sent, authorization: signing.authorization?.(header) ?? header },
    ...(body === undefined ? {} : { body }),
  })
  const { code } = (await response.json()) as { code?: string }
  assert.equal(response.status === 401, code === 'NotAuthenticated')
  assert.ok(response.headers.get('opc-request-id'))
  return response.status
}

test('a request is served only with a valid signature', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const minutes = (count: number) => ({ date: new Date(Date.now() + count * 60_000).toUTCString() })
  const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const cases: readonly (readonly [string, Signing, number])[] = [
    ['valid', {}, 200],
    ['with the header names in another order', { headers: ['host', '(request-target)', 'date'] }, 200],
    ['four minutes late', { sent: minutes(-4) }, 200],
    ['six minutes late', { sent: minutes(-6) }, 401],
    ['six minutes early', { sent: minutes(6) }, 401],
    ['without a date', { headers: ['(request-target)', 'host'] }, 401],
    ['without the target', { headers: ['date', 'host'] }, 401],
    ['without the host', { headers: ['date', '(request-target)'] }, 401],
    ['for another path', { signedPath: `${LIST}?prefix=x` }, 401],
    ['by another key', { key: otherKey }, 401],
    ['with an unknown key id', { keyId: `${KEY_ID}0` }, 401],
    ['with an unknown session token', { keyId: 'ST$abc' }, 401],
    [
      'with another algorithm',
      { authorization: (header) => header.replace('rsa-sha256', 'hmac-sha256') },
      401,
    ],
    ['without a version', { authorization: (header) => header.replace('version="1",', '') }, 401],
    ['with a repeated field', { authorization: (header) => `${header},version="1"` }, 401],
    ['under another scheme', { authorization: () => 'Bearer Oracle' }, 401],
    [
      'with a signed body, but without permission',
      { method: 'POST', path: CREATE_UPLOAD, body: '{"object":"x"}' },
      404,
    ],
    [
      'with a body other than the signed one',
      { method: 'POST', path: CREATE_UPLOAD, body: '{"object":"x"}', sent: { 'x-content-sha256': 'AAAA' } },
      401,
    ],
    [
      'with a body outside the signature',
      {
        method: 'POST',
        path: CREATE_UPLOAD,
        body: '{"object":"x"}',
        headers: ['date', '(request-target)', 'host'],
      },
      401,
    ],
  ]
  for (const [name, signing, status] of cases) assert.equal(await statusOf(emulator, signing), status, name)
  assert.equal((await fetch(emulator.endpoint + LIST)).status, 401)
})

test('the metadata service answers only IMDSv2 requests, about its own instance', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const base = emulator.imds[id('instance', 'worker-1')] ?? ''
  const oracle = { authorization: 'Bearer Oracle' }
  const status = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(`${base}${path}`, { headers })
    await response.arrayBuffer()
    return response.status
  }
  assert.equal(
    await (await fetch(`${base}/instance/id`, { headers: oracle })).text(),
    id('instance', 'worker-1'),
  )
  assert.equal(await (await fetch(`${base}/instance/region`, { headers: oracle })).text(), 'eu-frankfurt-1')
  assert.equal(await status('/identity/cert.pem', oracle), 200)
  assert.equal(await status('/identity/cert.pem', {}), 401)
  assert.equal(await status('/identity/other', oracle), 404)
  for (const header of ['forwarded', 'x-forwarded-for', 'x-forwarded-host'])
    assert.equal(await status('/identity/key.pem', { ...oracle, [header]: '10.0.0.1' }), 400)
})

test('a session token is valid until it expires', async (t) => {
  let now = Date.now()
  const config = testConfig({
    change: (change) => {
      change.sessionSeconds = 240
    },
  })
  const emulator = await emulatorFor(t, config, { now: () => now })
  const provider = await instanceProvider(emulator, 'worker-1')
  const token = await provider.getKeyId()
  const key = { asPem: provider.getPrivateKey() }
  const signing = { keyId: token, key: key.asPem as unknown as KeyObject, path: LIST }
  now += 200_000
  assert.equal(await statusOf(emulator, { ...signing, sent: { date: new Date(now).toUTCString() } }), 200)
  now += 60_000
  assert.equal(await statusOf(emulator, { ...signing, sent: { date: new Date(now).toUTCString() } }), 401)
})

test('federation requires a certificate of this realm and a signature by its key', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const read = async (instance: string, file: string) => {
    const url = `${emulator.imds[id('instance', instance)]}/identity/${file}`
    return await (await fetch(url, { headers: { authorization: 'Bearer Oracle' } })).text()
  }
  const base64 = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '')
  const certificate = base64(await read('worker-1', 'cert.pem'))
  const fingerprint = createHash('sha1')
    .update(Buffer.from(certificate, 'base64'))
    .digest('hex')
    .replace(/..(?=.)/g, '$&:')
  const publicKey = apiKey.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const body = { certificate, purpose: 'DEFAULT', publicKey, intermediateCertificates: [] }
  const ask = async (keyFrom: string, change: object, keyId = `${CONSUMER}/fed-x509/${fingerprint}`) =>
    statusOf(emulator, {
      method: 'POST',
      path: '/v1/x509',
      keyId,
      key: (await read(keyFrom, 'key.pem')) as unknown as KeyObject,
      body: JSON.stringify({ ...body, ...change }),
    })
  assert.equal(await ask('worker-1', {}), 200)
  assert.equal(await ask('worker-2', {}), 401)
  assert.equal(await ask('worker-1', { certificate: base64(await read('worker-2', 'cert.pem')) }), 401)
  assert.equal(
    await ask('worker-1', { certificate: base64(await read('worker-1', 'intermediate.pem')) }),
    401,
  )
  assert.equal(await ask('worker-1', { publicKey: 'AAAA' }), 401)
  assert.equal(await ask('worker-1', {}, `${CONSUMER}/fed-x509/00`), 401)
})

test('a function authenticates with the resource principal files in its folder', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const paths = emulator.functions[id('fnfunc', 'ingest')]
  const variables = {
    OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
    OCI_RESOURCE_PRINCIPAL_RPST: paths?.rpst ?? '',
    OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: paths?.privatePem ?? '',
    OCI_RESOURCE_PRINCIPAL_REGION: 'eu-frankfurt-1',
  }
  Object.assign(process.env, variables)
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
  const client = objectStorageOf(emulator, ResourcePrincipalAuthenticationDetailsProvider.builder())
  assert.equal((await client.getNamespace({})).value, CONSUMER_NAMESPACE)
  const { listObjects } = await client.listObjects({
    namespaceName: PROVIDER_NAMESPACE,
    bucketName: 'outbox',
  })
  assert.deepEqual(listObjects.objects, [])
})
