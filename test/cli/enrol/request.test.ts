/** Certificate requests as strangers write them: only a key and the proof of its possession count. */
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import {
  bits,
  commonName,
  implicit,
  integer,
  oid,
  publicKeyInfo,
  sequence,
  toDer,
  toPem,
} from '#cli/enrol/asn1.ts'
import { createAuthority, issue, publishList } from '#cli/enrol/enrolment.ts'
import { openRegister } from '#cli/enrol/register.ts'
import { createRequest, readRequest } from '#cli/enrol/request.ts'
import { keySigner } from '#core/jws.ts'
import { toUnixSeconds } from '#core/time.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'

const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function requestDer(
  key: KeyObject,
  signer: KeyObject,
  { algorithm = ECDSA_SHA256, digest = 'sha256' as string | null, name = 'x' } = {},
): Buffer {
  const info = sequence(integer(0), commonName(name), publicKeyInfo(key), implicit(0, Buffer.alloc(0)))
  return toDer(sequence(info, sequence(oid(algorithm)), bits(sign(digest, toDer(info), signer))))
}
const pemOf = (der: Buffer) => Buffer.from(toPem('CERTIFICATE REQUEST', der))
const good = requestDer(p256.publicKey, p256.privateKey)

test('the key of a request is taken after its signature, whatever tool and digest', () => {
  assert.ok(readRequest(pemOf(good)).equals(p256.publicKey))
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const der = requestDer(p384.publicKey, p384.privateKey, {
    algorithm: '1.2.840.10045.4.3.3',
    digest: 'sha384',
  })
  assert.ok(readRequest(pemOf(der)).equals(p384.publicKey))
  const { key, request } = createRequest('worker-1')
  assert.ok(readRequest(Buffer.from(request)).equals(createPublicKey(key)))
})

/** The length of the outer SEQUENCE in one octet more than it needs. */
const longLength = Buffer.concat([Buffer.of(0x30, 0x83, 0), good.subarray(2)])
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const flipped = (at: number) => Buffer.from(good.map((byte, index) => (index === at ? byte ^ 1 : byte)))

for (const [name, pem, code] of [
  ['signed by another key', pemOf(requestDer(p256.publicKey, other.privateKey)), 'enrolment.unproved'],
  ['with a changed name', pemOf(flipped(good.indexOf('x'.charCodeAt(0), 15))), 'enrolment.unproved'],
  ['with an RSA key', pemOf(requestDer(rsa.publicKey, rsa.privateKey)), 'enrolment.malformed'],
  [
    'with an Ed25519 key',
    pemOf(requestDer(ed25519.publicKey, ed25519.privateKey, { digest: null })),
    'enrolment.malformed',
  ],
  [
    'with another signature algorithm',
    pemOf(requestDer(p256.publicKey, p256.privateKey, { algorithm: '1.2.840.10045.4.1', digest: 'sha1' })),
    'enrolment.malformed',
  ],
  ['not in DER', pemOf(longLength), 'enrolment.malformed'],
  ['with bytes after it', pemOf(Buffer.concat([good, Buffer.of(0)])), 'enrolment.malformed'],
  ['cut off', pemOf(good.subarray(0, -1)), 'enrolment.malformed'],
  ['of one byte', pemOf(Buffer.of(0x30)), 'enrolment.malformed'],
  ['that is empty', pemOf(Buffer.of(0x30, 0)), 'enrolment.malformed'],
  ['that is a number', pemOf(Buffer.of(2, 1, 5)), 'enrolment.malformed'],
  ['that is no PEM', good, 'enrolment.malformed'],
  ['twice', Buffer.concat([pemOf(good), pemOf(good)]), 'enrolment.malformed'],
] as const)
  test(`a request ${name} is ${code}`, () => {
    assert.throws(() => readRequest(pem), { code })
  })

test('any cut or flipped byte of a request is refused with a code of ours', () => {
  for (let at = 0; at < good.byteLength; at += 1)
    for (const der of [flipped(at), good.subarray(0, at)])
      assert.throws(
        () => readRequest(pemOf(der)),
        ({ code }: { code?: string }) => /^enrolment\./.test(code ?? ''),
      )
})

test('subject, addresses and purpose are the authority’s, whatever the request asks', async (t) => {
  const signer = keySigner(ed25519.privateKey)
  const now = toUnixSeconds(1_800_000_000)
  const enrolment = { register: openRegister(await temporaryFolder(t)), signer, now }
  await createAuthority(enrolment, { name: 'CA', purpose: 'clientAuth', days: 10, listDays: 5 })
  const key = readRequest(pemOf(requestDer(p256.publicKey, p256.privateKey, { name: 'verifier' })))
  const subject = { name: 'worker-1', dns: [], ip: [] }
  const { certificate } = await issue(enrolment, { key, subject, days: 5 })
  const x509 = new X509Certificate(certificate)
  assert.equal(x509.subject, 'CN=worker-1')
  assert.equal(x509.subjectAltName, undefined)
  assert.deepEqual(x509.keyUsage, ['1.3.6.1.5.5.7.3.2'])
  assert.equal(x509.ca, false)
  assert.equal(x509.validToDate.getTime() / 1000, now + 5 * 86_400)
  const ca = new X509Certificate((await enrolment.register.authority()).certificate)
  assert.ok(ca.ca && x509.checkIssued(ca) && x509.verify(ca.publicKey))
  assert.deepEqual(ca.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

for (const [why, purpose, subject, days] of [
  ['a worker has no address', 'clientAuth', { name: 'w', dns: ['w.example'], ip: [] }, 5],
  ['a Verifier has one', 'serverAuth', { name: 'v', dns: [], ip: [] }, 5],
  ['an address is one', 'serverAuth', { name: 'v', dns: [], ip: ['127.0.0.256'] }, 5],
  ['a host name is no address', 'serverAuth', { name: 'v', dns: ['127.0.0.1'], ip: [] }, 5],
  ['a host name is one', 'serverAuth', { name: 'v', dns: ['*.example'], ip: [] }, 5],
  ['no life beyond the CA', 'serverAuth', { name: 'v', dns: ['v.example'], ip: [] }, 11],
] as const)
  test(`usage.invalid: ${why}`, async (t) => {
    const register = openRegister(await temporaryFolder(t))
    const enrolment = { register, signer: keySigner(ed25519.privateKey), now: toUnixSeconds(1_800_000_000) }
    await createAuthority(enrolment, { name: 'CA', purpose, days: 10, listDays: 5 })
    await assert.rejects(issue(enrolment, { key: p256.publicKey, subject, days }), { code: 'usage.invalid' })
    assert.deepEqual(await register.issued(), [])
  })

test('operators who publish at the same time leave the list with the highest number, and all marks', async (t) => {
  const register = openRegister(await temporaryFolder(t))
  const enrolment = { register, signer: keySigner(ed25519.privateKey), now: toUnixSeconds(1_800_000_000) }
  await createAuthority(enrolment, { name: 'CA', purpose: 'clientAuth', days: 10, listDays: 5 })
  const numbers = await Promise.all(Array.from({ length: 6 }, () => publishList(enrolment, 5)))
  assert.equal(new Set(numbers).size, 6)
  assert.equal(await publishList(enrolment, 5), 8)
  assert.equal(Math.max(...numbers), 7)
})
