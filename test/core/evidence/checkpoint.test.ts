import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  checkpointName,
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointName,
  signCheckpoint,
} from '#core/evidence/checkpoint.ts'
import { noteKey, openNote, parseVkey, signNote } from '#core/evidence/note.ts'
import { EMPTY_ROOT } from '#core/evidence/tree.ts'
import { exportJwk } from '#core/jwk.ts'
import { ABSENT, FIXTURES } from './fixtures.ts'

const key = generateKeyPairSync('ed25519').privateKey
const jwk = exportJwk(key)
assert(jwk.kty === 'OKP')
const checkpoint = { origin: 'example.com/log', size: 7, root: EMPTY_ROOT }

test('a checkpoint round-trips through its note', () => {
  const note = signCheckpoint(checkpoint, key)
  assert.deepEqual(openCheckpoint(note, noteKey('example.com/log', jwk)), checkpoint)
  const foreign = signNote(formatCheckpoint(checkpoint), 'example.com/other', key)
  assert.throws(() => openCheckpoint(foreign, noteKey('example.com/other', jwk)), {
    code: 'evidence.inconsistent',
  })
})

test('go.sum texts: refuses two, and the one whose second line is not a size', {
  skip: ABSENT,
}, () => {
  const { tree, badTrees } = JSON.parse(readFileSync(new URL('notes.json', FIXTURES), 'utf8'))
  assert.deepEqual(formatCheckpoint(parseCheckpoint(tree.text)), tree.text)
  // The first bad tree has another first line, which is merely another origin for a checkpoint.
  for (const text of badTrees.slice(1))
    assert.throws(() => parseCheckpoint(text), { code: 'evidence.malformed' })
})

test('cosigned checkpoints of other logs parse; their keys of type 0x04 are unsupported', {
  skip: ABSENT,
}, () => {
  const note = readFileSync(new URL('cosigned/rome2026h1.checkpoint', FIXTURES), 'utf8')
  assert.equal(parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1)).size, 300)
  assert.throws(() => openNote(note, [noteKey('witness.example.org', jwk)]), {
    code: 'evidence.inconsistent',
  })
  assert.throws(
    () => parseVkey('witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN'),
    {
      code: 'evidence.malformed',
    },
  )
})

const text = formatCheckpoint(checkpoint)
for (const [name, bad] of [
  ['no origin', `\n7\n${EMPTY_ROOT.toString('base64')}\n`],
  ['a leading zero', text.replace('\n7\n', '\n07\n')],
  ['a negative size', text.replace('\n7\n', '\n-7\n')],
  ['a size beyond 2^53', text.replace('\n7\n', '\n9007199254740993\n')],
  ['a short root', `a\n7\n${EMPTY_ROOT.subarray(1).toString('base64')}\n`],
  ['base64url', `a\n7\n${EMPTY_ROOT.toString('base64url')}\n`],
  ['an extension line', `${text}extension\n`],
  ['no last newline', text.slice(0, -1)],
] as const)
  test(`a checkpoint is refused: ${name}`, () => {
    assert.throws(() => parseCheckpoint(bad), { code: 'evidence.malformed' })
  })

test('each size has one name', () => {
  assert.equal(checkpointName(12), 'checkpoint/00000000000000000012')
  assert.equal(parseCheckpointName(checkpointName(12)), 12)
  for (const name of [
    'checkpoint/12',
    'checkpoint/00000000000000000012/x',
    'checkpoint/99999999999999999999',
  ])
    assert.equal(parseCheckpointName(name), undefined)
})
