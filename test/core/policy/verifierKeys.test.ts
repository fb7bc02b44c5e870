import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, signGeneral } from '#core/jws.ts'
import { readVerifierKeys, type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { DAY, NOW, p384, root, signers } from '../release/releaseWorld.ts'

const invalid = { name: 'CodedError', code: 'policy.invalid' }
const ca = keySigner(p384())
const keys: VerifierKeys = {
  v: 1,
  seq: 2,
  exp: NOW + DAY,
  grantCa: { jwk: P384Jwk.parse(ca.jwk), keyId: 'ocid1.key.oc1..ca' },
}

for (const { name, by, own, at, valid } of [
  { name: 'signed by two persons, for our grant CA', valid: true },
  { name: 'signed by one person', by: signers.slice(0, 1), valid: false },
  { name: 'for another key id', own: { keyId: 'ocid1.key.oc1..other', jwk: ca.jwk }, valid: false },
  { name: 'for another key', own: { keyId: keys.grantCa.keyId, jwk: keySigner(p384()).jwk }, valid: false },
  {
    name: 'for a key of another kind',
    own: { keyId: keys.grantCa.keyId, jwk: signers[0].jwk },
    valid: false,
  },
  { name: 'under another number', at: 'verifier-keys/000000003', valid: false },
])
  test(`${valid ? 'accepted' : 'refused'}: verifier keys ${name}`, async () => {
    const signed = await signGeneral(VerifierKeysFormat, keys, by ?? signers.slice(0, 2))
    const read = () =>
      readVerifierKeys(
        utf8(JSON.stringify(signed)),
        at ?? 'verifier-keys/000000002',
        root,
        own ?? { keyId: keys.grantCa.keyId, jwk: ca.jwk },
      )
    if (valid) assert.deepEqual(read(), { verifierKeys: keys, signed })
    else assert.throws(read, invalid)
  })
