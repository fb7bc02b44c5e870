import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { signRequest, type Unsigned } from '#adapters/oci/signature.ts'
import { parseAuthorization, verifyBody, verifySignature } from '#lab/emulator/identity/signature.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const identity = { keyId: 'ST$token', privateKey }
const date = new Date('2026-11-21T01:02:03Z')
const now = date.getTime()

const request = (change: Partial<Unsigned>): Unsigned => ({
  method: 'GET',
  target: '/20180418/streams/x/messages?cursor=a%3D&limit=1',
  host: '127.0.0.1:1',
  headers: { accept: '*/*' },
  body: new Uint8Array(),
  bodyUnsigned: false,
  date,
  ...change,
})

const LONG = ['x-date', '(request-target)', 'host', 'content-type', 'content-length', 'x-content-sha256']
const SHORT = ['x-date', '(request-target)', 'host']
const cases: readonly { name: string; change: Partial<Unsigned>; signed: readonly string[] }[] = [
  { name: 'a GET', change: {}, signed: SHORT },
  { name: 'a HEAD', change: { method: 'HEAD' }, signed: SHORT },
  { name: 'a DELETE', change: { method: 'DELETE' }, signed: SHORT },
  { name: 'a POST with a body', change: { method: 'POST', body: Buffer.from('{"é":1}') }, signed: LONG },
  { name: 'a POST without a body', change: { method: 'POST' }, signed: LONG },
  {
    name: 'a PUT whose body is outside the signature',
    change: { method: 'PUT', body: Buffer.from('x'), bodyUnsigned: true },
    signed: SHORT,
  },
]

for (const { name, change, signed } of cases) {
  test(`${name} verifies, and covers the headers that OCI requires`, async () => {
    const unsigned = request(change)
    const headers = await signRequest(unsigned, identity)
    const signature = parseAuthorization(headers['authorization'])
    assert.equal(signature.keyId, identity.keyId)
    assert.deepEqual(signature.headers, signed)
    const { method, target: url, bodyUnsigned, body } = unsigned
    verifySignature({ method, url, headers }, signature, publicKey, { bodyUnsigned, now })
    if (headers['x-content-sha256'] !== undefined) verifyBody(headers, body)
    if (method === 'POST' || method === 'PUT')
      assert.equal(headers['content-length'], String(body.byteLength))
    const elsewhere = { method, url: `${url}x`, headers }
    assert.throws(() => verifySignature(elsewhere, signature, publicKey, { bodyUnsigned, now }))
  })
}
