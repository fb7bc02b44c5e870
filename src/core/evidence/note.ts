/**
 * Signed notes (c2sp.org/signed-note) with Ed25519 keys, signature type 0x01: a text, an empty line, and one
 * line per signature, `— name base64(key id ‖ signature)`. Ed25519 is deterministic, so signing twice gives
 * the same note.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { fromBase64url, sha256, toBase64url, toHex, utf8 } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import { type Ed25519Jwk, exportJwk, importJwk } from '../jwk.ts'

const ED25519 = 0x01
const KEY_ID_BYTES = 4
const MAX_CHARACTERS = 8192
const MAX_SIGNATURES = 100

const NAME = /^[^\s+]+$/u
const VKEY = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: the specification excludes exactly these.
const CONTROL = /[\x00-\x09\x0b-\x1f]/

export type NoteKey = { readonly name: string; readonly id: Buffer; readonly jwk: Ed25519Jwk }

/** Throws `evidence.malformed` for a name with a space or a plus sign. */
export function noteKey(name: string, jwk: Ed25519Jwk): NoteKey {
  return typedNoteKey(name, jwk, ED25519)
}

/** A key for signatures of another type: the type is in the key's id. */
export function typedNoteKey(name: string, jwk: Ed25519Jwk, type: number): NoteKey {
  if (!NAME.test(name)) throw malformed('a key name is empty or has spaces or a plus sign')
  const id = sha256(utf8(`${name}\n`), typed(jwk, type)).subarray(0, KEY_ID_BYTES)
  return { name, id, jwk }
}

/** `name+hex(key id)+base64(type ‖ public key)`, as other implementations read it. */
export function formatVkey(key: NoteKey): string {
  return formatTypedVkey(key, ED25519)
}

export function formatTypedVkey(key: NoteKey, type: number): string {
  return `${key.name}+${toHex(key.id)}+${typed(key.jwk, type).toString('base64')}`
}

export function parseVkey(vkey: string): NoteKey {
  return parseTypedVkey(vkey, ED25519)
}

export function parseTypedVkey(vkey: string, type: number): NoteKey {
  const [, name = '', id = '', key = ''] = VKEY.exec(vkey) ?? []
  const bytes = fromBase64(key)
  if (bytes?.byteLength !== 33 || bytes[0] !== type)
    throw malformed('a verifier key is not name+id+Ed25519 key')
  const parsed = typedNoteKey(name, { kty: 'OKP', crv: 'Ed25519', x: toBase64url(bytes.subarray(1)) }, type)
  if (toHex(parsed.id) !== id) throw malformed('the key id of a verifier key does not match its name and key')
  return parsed
}

/** `text` ends with a newline. Throws `evidence.malformed` for a text that no note may contain. */
export function signNote(text: string, name: string, privateKey: KeyObject): string {
  checkText(text)
  const jwk = exportJwk(createPublicKey(privateKey))
  if (jwk.kty !== 'OKP') throw malformed('a note is signed by an Ed25519 key')
  const signature = sign(null, utf8(text), privateKey)
  const note = `${text}\n${formatSignature(noteKey(name, jwk), signature)}`
  if (note.length > MAX_CHARACTERS) throw malformed(`a note has more than ${MAX_CHARACTERS} characters`)
  return note
}

/**
 * The text and its signers among `keys`, at least one. Signatures by unknown keys are ignored. Throws
 * `evidence.inconsistent` if a signature by a known key does not verify, or if there is none.
 */
export function openNote(
  note: string,
  keys: readonly NoteKey[],
): { readonly text: string; readonly signers: readonly NoteKey[] } {
  const { text, signatures } = splitNote(note)
  const signers = new Set<NoteKey>()
  for (const { name, id, signature } of signatures) {
    const key = keys.find((candidate) => candidate.name === name && candidate.id.equals(id))
    if (key === undefined || signers.has(key)) continue
    if (!verify(null, utf8(text), importJwk(key.jwk), signature))
      throw new CodedError('evidence.inconsistent', `the signature of ${name} does not verify`)
    signers.add(key)
  }
  if (signers.size === 0) throw new CodedError('evidence.inconsistent', 'no known key has signed the note')
  return { text, signers: [...signers] }
}

/** The line of a signature. */
export function formatSignature({ name, id }: NoteKey, signature: Uint8Array): string {
  return `\u2014 ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`
}

/** SHA-256 of a note. Entries name a checkpoint by it. */
export function noteDigest(note: string): string {
  return toBase64url(sha256(utf8(note)))
}

/** Text and signatures, not verified. Throws `evidence.malformed`. */
export function splitNote(note: string): {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
} {
  if (note.length > MAX_CHARACTERS) throw malformed(`a note has more than ${MAX_CHARACTERS} characters`)
  const end = note.lastIndexOf('\n\n')
  if (end === -1 || !note.endsWith('\n')) throw malformed('a note has no signatures')
  const text = note.slice(0, end + 1)
  checkText(text)
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) throw malformed(`a note has more than ${MAX_SIGNATURES} signatures`)
  return { text, signatures: lines.map(parseSignature) }
}

export type NoteSignature = { readonly name: string; readonly id: Buffer; readonly signature: Buffer }

function parseSignature(line: string): NoteSignature {
  const [, name = '', base64 = ''] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = fromBase64(base64)
  if (bytes === undefined || bytes.byteLength <= KEY_ID_BYTES)
    throw malformed('a signature line is not "— name base64"')
  return { name, id: bytes.subarray(0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) }
}

function checkText(text: string): void {
  if (!text.endsWith('\n') || CONTROL.test(text) || !text.isWellFormed())
    throw malformed("a note's text does not end with a newline, or has control characters")
}

function typed(jwk: Ed25519Jwk, type: number): Buffer {
  return Buffer.concat([Uint8Array.of(type), fromBase64url(jwk.x, 'Ed25519 key')])
}

/** Padded standard base64 (RFC 4648 §4) in its one spelling, or undefined. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined
}

function malformed(message: string): CodedError {
  return new CodedError('evidence.malformed', message)
}
