/** The limits of the signed documents about objects and results. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { canonicalBytes } from '#core/canonical.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { ResultManifestFormat } from '#core/sealed/manifest.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { memberName } from '#core/sealed/set.ts'
import { SetRecordFormat } from '#core/sealed/setRecord.ts'

const DIGEST = 'A'.repeat(43)
const ID = '0'.repeat(32)
const MEMBER = { headerDigest: DIGEST, size: Number.MAX_SAFE_INTEGER }
const KEY = { keyId: 'ocid1.key.a', keyVersionId: 'ocid1.keyversion.a' }
const bytes = (count: number) => Buffer.alloc(count).toString('base64url')
const times = <T>(count: number, value: T): readonly T[] => Array(count).fill(value)

const custody = { mode: 'rewrap', ...KEY, wrappedDek: bytes(60) }
const header = {
  v: 1,
  tenant: 'hospital',
  dataset: 'cohort-1',
  object: ID,
  sealId: ID,
  size: 5,
  contentType: 'application/fhir+ndjson',
  sealedAt: 1_790_000_000,
  set: null,
  minimised: null,
  baseUrl: null,
  custody,
}
const withBase = (baseUrl: string) => ({ baseUrl })
const member = (index: number) => ({ ...MEMBER, sealId: index.toString(16).padStart(32, '0') })
const members = (count: number) => Array.from({ length: count }, (_, index) => member(index))
const set = {
  v: 1,
  tenant: 'hospital',
  dataset: 'cohort-1',
  set: ID,
  name: ID,
  members: members(1),
  sealedAt: 1_790_000_000,
}
const record = {
  v: 1,
  sealId: ID,
  headerDigest: DIGEST,
  objectDigest: DIGEST,
  size: 5,
  namespace: 'hospital',
  bucket: 'outbox',
  object: ID,
  etag: 'e-1',
  recordedAt: 1_790_000_000,
}
const part = { size: 1, digest: DIGEST }
const manifest = {
  v: 1,
  resultId: 'ab'.repeat(32),
  attempt: ID,
  boot: 'a'.repeat(26),
  parts: [part],
  contentDigest: DIGEST,
  contentType: 'application/json',
  wrappedDek: bytes(256),
  recipient: { ...KEY, thumbprint: DIGEST },
  releaseId: ID,
  grantDigest: DIGEST,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  termsDigest: DIGEST,
  headerDigests: [DIGEST],
  workload: { name: 'summary', digest: DIGEST },
  simulation: false,
  committedAt: 0,
  verifierCheckpoint: 'note',
  workerCheckpoint: 'note',
  intentIndex: 0,
  permit: 'a.permit.jws',
  permitKey: 'a.key.jws',
}

const NOTES = ['verifierCheckpoint', 'workerCheckpoint']

for (const { format, whole, good, bad } of [
  {
    format: SealHeaderFormat,
    whole: header,
    good: [
      ...[32, 1024].map((count) => ({ custody: { ...custody, wrappedDek: bytes(count) } })),
      { set: ID, object: memberName(ID, ID) },
      ...[
        `https://a/${'b'.repeat(190)}`,
        'https://a',
        'https://a.b-c.d:65535/e.f/~_-',
        'https://a:1',
        'https://a/...',
      ].map(withBase),
    ],
    bad: [
      { set: ID },
      { object: memberName(ID, ID) },
      { set: ID, object: memberName(ID, 'f'.repeat(32)) },
      { set: 'f'.repeat(32), object: memberName(ID, ID) },
      { minimised: 'minimal' },
      ...[
        `https://a/${'b'.repeat(191)}`,
        'https://',
        'https://a:0',
        'https://a:123456',
        'https://a/./b',
        'https://a/..',
        'https://a//b',
      ].map(withBase),
      ...[31, 1025].map((count) => ({ custody: { ...custody, wrappedDek: bytes(count) } })),
      { custody: { ...custody, mode: 'other' } },
      { custody: { ...custody, more: 1 } },
    ],
  },
  { format: SealRecordFormat, whole: record, good: [{ size: 0 }], bad: [{ size: -1 }] },
  {
    format: SetRecordFormat,
    whole: set,
    good: [{ members: members(64) }, { name: 'sets/2027' }],
    bad: [
      { members: [] },
      { members: members(65) },
      { members: [member(0), member(1), member(0)] },
      { members: [{ ...member(0), size: -1 }] },
      { members: [{ ...member(0), more: 1 }] },
      { name: memberName(ID, ID) },
      { set: '0'.repeat(31) },
    ],
  },
  {
    format: ResultManifestFormat,
    whole: manifest,
    good: [
      { parts: times(100_000, part) },
      ...[256, 512].map((count) => ({ wrappedDek: bytes(count) })),
      { headerDigests: times(64, DIGEST) },
      ...NOTES.map((field) => ({ [field]: 'n'.repeat(8192) })),
    ],
    bad: [
      { parts: [] },
      { parts: times(100_001, part) },
      { parts: [{ ...part, more: 1 }] },
      ...[255, 513].map((count) => ({ wrappedDek: bytes(count) })),
      { recipient: { ...manifest.recipient, more: 1 } },
      { headerDigests: [] },
      { headerDigests: times(65, DIGEST) },
      { workload: { ...manifest.workload, more: 1 } },
      ...NOTES.map((field) => ({ [field]: 'n'.repeat(8193) })),
      ...['permit', 'permitKey'].map((field) => ({ [field]: 'no token' })),
    ],
  },
])
  test(`each limit of a ${format.name} is exact, and it has no field more or less`, () => {
    const malformed = {
      code: [SealHeaderFormat, SetRecordFormat].some((of) => of === format)
        ? 'object.malformed'
        : 'record.malformed',
    }
    const decode = (change: object) => format.decode(canonicalBytes({ ...whole, ...change }))
    for (const change of [{}, ...good]) assert.deepEqual(decode(change), { ...whole, ...change })
    for (const change of [...bad, { more: 1 }, { v: 2 }]) assert.throws(() => decode(change), malformed)
    for (const field of Object.keys(whole))
      assert.throws(() => decode({ [field]: undefined }), malformed, field)
  })
