import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatVkey, noteKey, openNote, parseVkey, signNote } from '#core/evidence/note.ts'
import { exportJwk } from '#core/jwk.ts'
import { ABSENT, FIXTURES } from './fixtures.ts'

const notes = ABSENT ? undefined : JSON.parse(readFileSync(new URL('notes.json', FIXTURES), 'utf8'))
const key = generateKeyPairSync('ed25519').privateKey
const jwk = exportJwk(key)
assert(jwk.kty === 'OKP')
const known = noteKey('example.com/log', jwk)
const note = signNote('one\n\ntwo\n', known.name, key)

test('notes and verifier keys of other implementations', { skip: ABSENT }, () => {
  for (const { vkey, note: signed, from } of notes.valid) {
    const parsed = parseVkey(vkey)
    assert.equal(formatVkey(parsed), vkey)
    assert.deepEqual(openNote(signed, [parsed]).signers, [parsed], from)
  }
  for (const vkey of notes.badVkeys) assert.throws(() => parseVkey(vkey), { code: 'evidence.malformed' })
})

test('Go signs the same note with the same key', { skip: ABSENT }, () => {
  const { skey, vkey, note: signed } = notes.valid[1]
  const seed = Buffer.from(skey.split('+').slice(4).join('+'), 'base64').subarray(1)
  // The DER of an Ed25519 private key (RFC 8410 §7) is a fixed prefix and the seed.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const text = openNote(signed, [parseVkey(vkey)]).text
  assert.equal(
    signNote(text, 'PeterNeumann', createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })),
    signed,
  )
})

test('a text with an empty line is signed and opened whole', () => {
  assert.deepEqual(openNote(note, [known]), { text: 'one\n\ntwo\n', signers: [known] })
})

test('ignores signatures by unknown keys, refuses a wrong one by a known key', () => {
  const other = generateKeyPairSync('ed25519').privateKey
  const foreign = signNote('one\n\ntwo\n', 'other', other).split('\n\n').at(-1)
  assert.deepEqual(openNote(`${note}${foreign}`, [known]).signers, [known])
  assert.deepEqual(openNote(`${note}${note.split('\n\n').at(-1)}`, [known]).signers, [known])
  assert.throws(() => openNote(note.replace('two', 'too'), [known]), { code: 'evidence.inconsistent' })
  assert.throws(() => openNote(note, []), { code: 'evidence.inconsistent' })
  assert.throws(() => openNote(note, [noteKey('example.com/other', jwk)]), { code: 'evidence.inconsistent' })
})

const signature = note.split('\n').at(-2) ?? ''
for (const [name, text] of [
  ['no signature', 'one\n'],
  ['no empty line', `one\n${signature}\n`],
  ['no last newline', note.slice(0, -1)],
  ['an empty line at the end', `${note}\n`],
  ['a control character', note.replace('two', 't\two')],
  ['a carriage return', note.replace('one', 'one\r')],
  ['a lone surrogate', note.replace('one', '\ud800')],
  ['a hyphen for the dash', note.replace('\u2014', '-')],
  ['base64 without padding', note.replace(/=*\n$/, '\n').replace(/(.)\n$/, '\n')],
  ['only a key id', `one\n\n\u2014 a AAAAAA==\n`],
  ['a name with a plus', `one\n\n\u2014 a+b AAAAAAAA\n`],
  ['too many characters', `${'x'.repeat(8193)}\n\n${signature}\n`],
  ['too many signatures', `one\n\n${`\u2014 a AAAAAAAA\n`.repeat(101)}`],
] as const)
  test(`a note is refused: ${name}`, () => {
    assert.throws(() => openNote(text, [known]), { code: 'evidence.malformed' })
  })

test('does not sign a text that no note may contain', () => {
  for (const text of ['', 'no newline', 'a\tb\n', '\ud800\n', `${'x'.repeat(8192)}\n`])
    assert.throws(() => signNote(text, 'name', key), { code: 'evidence.malformed' })
  assert.throws(() => signNote('text\n', 'a name', key), { code: 'evidence.malformed' })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  assert.throws(() => signNote('text\n', 'name', ec), { code: 'evidence.malformed' })
})
