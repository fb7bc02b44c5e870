import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { signCheckpoint } from '#core/evidence/checkpoint.ts'
import {
  cosign,
  cosignedAt,
  cosignerKey,
  formatCosignerVkey,
  parseCosignerVkey,
} from '#core/evidence/witness/cosignature.ts'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import { toUnixSeconds } from '#core/time.ts'
import { ABSENT, FIXTURES } from './fixtures.ts'

const TIME = toUnixSeconds(1_800_000_000)
const log = generateKeyPairSync('ed25519').privateKey
const witness = generateKeyPairSync('ed25519').privateKey
const key = cosignerKey('witness.example', Ed25519Jwk.parse(exportJwk(witness)))
const note = signCheckpoint({ origin: 'log.example', size: 5, root: Buffer.alloc(32, 1) }, log)

test('a cosignature has its time, and the verifier key is of type 4', () => {
  const cosigned = cosign(note, 'witness.example', TIME, witness)
  assert.ok(cosigned.startsWith(note))
  assert.equal(cosignedAt(cosigned, key), TIME)
  const vkey = formatCosignerVkey(key)
  assert.match(vkey, /^witness\.example\+[0-9a-f]{8}\+B/)
  assert.deepEqual(parseCosignerVkey(vkey), key)
})

test('no other text, time, key or name has the cosignature', () => {
  const cosigned = cosign(note, 'witness.example', TIME, witness)
  const inconsistent = { code: 'evidence.inconsistent' }
  assert.throws(() => cosignedAt(note, key), inconsistent)
  assert.throws(() => cosignedAt(cosigned.replace('\n5\n', '\n6\n'), key), inconsistent)
  const other = cosignerKey('other.example', key.jwk)
  assert.throws(() => cosignedAt(cosigned, other), inconsistent)
  const [line = ''] = cosigned.split('\n').slice(-2)
  const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64')
  const withBytes = (changed: Uint8Array) =>
    cosigned.replace(line, `— witness.example ${Buffer.from(changed).toString('base64')}`)
  bytes[11] = (bytes[11] ?? 0) ^ 1
  assert.throws(() => cosignedAt(withBytes(bytes), key), inconsistent)
  assert.throws(() => cosignedAt(withBytes(bytes.subarray(0, -1)), key), { code: 'evidence.malformed' })
  assert.throws(() => cosignedAt(withBytes(Buffer.concat([key.id, Buffer.alloc(72, 255)])), key), {
    code: 'evidence.malformed',
  })
  const ordinary = signCheckpoint({ origin: 'witness.example', size: 5, root: Buffer.alloc(32, 1) }, witness)
  assert.throws(() => cosignedAt(ordinary, key), inconsistent)
})

test("cosignatures of sunlight's witnesses verify", { skip: ABSENT }, () => {
  const text = (name: string) => readFileSync(new URL(`cosigned/${name}`, FIXTURES), 'utf8')
  for (const [checkpoint, description] of [
    ['rome2026h1.checkpoint', 'witness.v0.json'],
    ['rome2026h1.mirror.checkpoint', 'mirror.v0.json'],
  ] as const) {
    const [vkey] = JSON.parse(text(description)).verifier_keys
    assert.equal(cosignedAt(text(checkpoint), parseCosignerVkey(vkey)), 1_767_139_200)
  }
})
