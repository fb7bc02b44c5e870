import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import * as fields from '#core/fields.ts'

const A32 = 'A'.repeat(43)

/** Valid values at the limits, and values just outside. */
const cases: readonly {
  readonly name: string
  readonly field: z.ZodType
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
}[] = [
  {
    name: 'base64url of 2 to 3 bytes',
    field: fields.base64urlBytes(2, 3),
    good: ['AAA', 'AAAA'],
    bad: ['AA', 'AAAAA', 'AAAAAA', 'AAB', 'AA==', 'AA A', '', 7],
  },
  {
    name: 'hex of 2 bytes',
    field: fields.hexBytes(2),
    good: ['00ff'],
    bad: ['00FF', '00f', '00ff0', '00ff\n'],
  },
  { name: 'count', field: fields.count, good: [0, Number.MAX_SAFE_INTEGER], bad: [-1, 0.5, 2 ** 53, '0'] },
  { name: 'version', field: fields.version1, good: [1], bad: [0, 2, '1'] },
  { name: 'time', field: fields.time, good: [0, 253_402_300_799], bad: [-1, 253_402_300_800, 1.5] },
  { name: 'sequence', field: fields.sequence, good: [1, 999_999_999], bad: [0, 1_000_000_000, 1.5] },
  {
    name: 'name',
    field: fields.name,
    good: ['a', '0', 'st-anna.cohort-2', 'a'.repeat(64)],
    bad: ['', 'A', '-a', '.a', 'a_b', 'a/b', 'a'.repeat(65), 'a\n'],
  },
  {
    name: 'SHA-256',
    field: fields.sha256Digest,
    good: [A32],
    bad: [`${A32}A`, A32.slice(1), `${A32.slice(1)}B`],
  },
  {
    name: 'sealId',
    field: fields.sealId,
    good: ['0'.repeat(32)],
    bad: ['0'.repeat(31), '0'.repeat(33), 'g'.repeat(32)],
  },
  { name: 'resultId', field: fields.resultId, good: ['f'.repeat(64)], bad: ['f'.repeat(32), 'F'.repeat(64)] },
  {
    name: 'boot',
    field: fields.boot,
    good: ['a'.repeat(26), '234567'.padEnd(26, 'z')],
    bad: ['a'.repeat(25), 'a'.repeat(27), '1'.repeat(26), 'A'.repeat(26)],
  },
  {
    name: 'object name',
    field: fields.objectName,
    good: ['a', 'seal/00.1_2-3', 'a'.repeat(200), '...', '.a', 'a./b..', 'a//b', '/'],
    bad: ['', 'A', 'a b', 'a%2f', 'a?b', 'a'.repeat(201), 'ä', '.', '..', './a', 'a/../b', 'a/.', 'a/..'],
  },
  {
    name: 'bucket',
    field: fields.bucketName,
    good: ['Out_box.1-a', '...', '.a'],
    bad: ['', 'a/b', 'a b', 'a'.repeat(257), '.', '..'],
  },
  { name: 'namespace', field: fields.namespaceName, good: ['axhospital'], bad: ['', 'a.b', 'a/b'] },
  { name: 'etag', field: fields.etag, good: ['0e-1_A'], bad: ['', '"a"', '*', 'a'.repeat(129)] },
  {
    name: 'OCID',
    field: fields.ocid,
    good: ['ocid1.key.oc1..aaaa', 'ocid1.vault.oc1.eu-frankfurt-1.b_c'],
    bad: ['ocid2.key', 'ocid1.', 'ocid1.KEY', `ocid1.${'a'.repeat(241)}`],
  },
  {
    name: 'media type',
    field: fields.contentType,
    good: ['application/fhir+ndjson'],
    bad: ['text', 'text/plain; charset=utf-8', 'Text/plain', 'a/b/c'],
  },
  {
    name: 'traceparent',
    field: fields.traceparent,
    good: [`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    bad: [`01-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, `00-${'a'.repeat(31)}-${'b'.repeat(16)}-01`],
  },
  {
    name: 'audience',
    field: fields.audience,
    good: ['https://verifier.example', 'https://127.0.0.1:8443'],
    bad: ['http://verifier.example', 'https://', 'https://a/b', 'https://a@b', 'https://A'],
  },
  {
    name: 'compact JWS',
    field: fields.compactJws,
    good: ['a.b.c', `a.b.${'c'.repeat(65_532)}`],
    bad: ['a.b', 'a.b.', 'a..c', 'a.b.c.d', 'a.b.c=', `a.b.${'c'.repeat(65_533)}`],
  },
  {
    name: 'compact JWE',
    field: fields.compactJwe,
    good: ['a.b.c.d.e', `a.b.c.d.${'e'.repeat(4088)}`],
    bad: ['a.b.c.d', 'a..c.d.e', 'a.b.c.d.e.f', `a.b.c.d.${'e'.repeat(4089)}`],
  },
  {
    name: 'purpose',
    field: fields.purpose,
    good: ['HRESCH', 'A1', `A${'_'.repeat(31)}`],
    bad: ['', 'A', 'hresch', '1A', `A${'B'.repeat(32)}`],
  },
  {
    name: 'scope',
    field: fields.scopeText,
    good: ['system/*.rs', 'a'.repeat(512)],
    bad: ['', 'a'.repeat(513)],
  },
  { name: 'note', field: fields.noteText, good: ['a', 'a'.repeat(8192)], bad: ['', 'a'.repeat(8193)] },
]

for (const { name, field, good, bad } of cases)
  test(`the grammar of ${name}`, () => {
    for (const value of good)
      assert.equal(field.safeParse(value).success, true, `${JSON.stringify(value)} is none`)
    for (const value of bad)
      assert.equal(field.safeParse(value).success, false, `${JSON.stringify(value)} is one`)
  })
