import assert from 'node:assert/strict'
import test from 'node:test'
import { keySigner, peekCompact, signCompact } from '#core/jws.ts'
import { type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import { encodeSealHeader, readSealHeader } from '#core/sealed/object.ts'
import { memberName } from '#core/sealed/set.ts'
import { p384 } from '../release/releaseWorld.ts'

const set = 'f'.repeat(32)
/** Every field as long as it may be. */
const longest: SealHeader = {
  v: 1,
  tenant: 't'.repeat(64),
  dataset: 'd'.repeat(64),
  object: 'o'.repeat(200),
  sealId: 'e'.repeat(32),
  size: Number.MAX_SAFE_INTEGER,
  contentType: `${'c'.repeat(64)}/${'c'.repeat(64)}`,
  sealedAt: 253_402_300_799,
  set: null,
  minimised: null,
  baseUrl: `https://${'b'.repeat(192)}`,
  custody: {
    mode: 'rewrap',
    keyId: `ocid1.${'k'.repeat(240)}`,
    keyVersionId: `ocid1.${'v'.repeat(240)}`,
    wrappedDek: Buffer.alloc(1024, 1).toString('base64url'),
  },
}

for (const [what, header] of [
  ['an object of its own', longest],
  ['a member', { ...longest, set, object: memberName(set, longest.sealId) }],
] as const)
  test(`the longest header of ${what} fits into an object, signed by ES384`, async () => {
    const jws = await signCompact(SealHeaderFormat, header, keySigner(p384()))
    assert.equal(readSealHeader(encodeSealHeader(jws)).headerJws, jws)
    assert.deepEqual(peekCompact(SealHeaderFormat, jws, 'object.malformed').payload, header)
  })
