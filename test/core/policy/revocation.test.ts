import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { keySigner, type Signer, signGeneral } from '#core/jws.ts'
import { type Revocation, RevocationFormat, readRevocation } from '#core/policy/revocation.ts'
import { ed25519, NOW, root, signers } from '../release/releaseWorld.ts'

const invalid = { name: 'CodedError', code: 'policy.invalid' }
function revocationOf(changes: Partial<Revocation>): Revocation {
  return {
    v: 1,
    seq: 3,
    issuedAt: NOW,
    referenceValues: [],
    objects: [],
    boots: [],
    permissions: [],
    ...changes,
  }
}

async function revoke(
  list: Revocation,
  by: readonly Signer[],
  current?: Revocation,
  name = 'revocation/000000003',
) {
  return readRevocation(
    utf8(JSON.stringify(await signGeneral(RevocationFormat, list, by))),
    name,
    root,
    current,
  )
}

const one = signers.slice(0, 1)
const lists = {
  referenceValues: ['worker-1'],
  objects: ['5e'.repeat(16)],
  boots: ['a'.repeat(26)],
  permissions: ['heart-2027'],
}

test('one signer revokes, with or without an earlier list', async () => {
  assert.deepEqual(await revoke(revocationOf(lists), one), revocationOf(lists))
  assert.deepEqual(
    await revoke(revocationOf(lists), one, revocationOf({ seq: 2, referenceValues: ['worker-1'] })),
    revocationOf(lists),
  )
})

for (const list of ['referenceValues', 'objects', 'boots', 'permissions'] as const)
  test(`${list}: two signers restore a revoked name, one cannot`, async () => {
    const current = revocationOf({ ...lists, seq: 2 })
    const restoring = revocationOf({ ...lists, [list]: [] })
    await assert.rejects(revoke(restoring, one, current), invalid)
    assert.deepEqual(await revoke(restoring, signers.slice(0, 2), current), restoring)
  })

test('refused: a revocation list signed by a stranger, or under another number', async () => {
  await assert.rejects(revoke(revocationOf({}), [keySigner(ed25519())]), invalid)
  await assert.rejects(revoke(revocationOf({}), one, undefined, 'revocation/000000004'), invalid)
})
