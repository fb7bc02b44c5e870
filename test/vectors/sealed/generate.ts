/**
 * Makes the vectors of this folder: `node test/vectors/sealed/generate.ts`. The same seeds give the same
 * files.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { canonicalBytes } from '#core/canonical.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import { FLOE } from '#core/sealed/floe.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { ResultManifestFormat } from '#core/sealed/manifest.ts'
import { encodeSealHeader } from '#core/sealed/object.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { memberName } from '#core/sealed/set.ts'
import { encodeSetRecord, SET_RECORD_BYTES, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { consentVectors } from './consent.ts'
import {
  DEK,
  floeCiphertext,
  HEADER,
  HEADER_JWS,
  MANIFEST,
  PLAINTEXT,
  RECORD,
  RESULT_ID,
  SEAL_ID,
  SET_ID,
  SET_RECORD,
  sealedObject,
  sealedResult,
  signerOf,
} from './seal.ts'
import { seeded } from './seeded.ts'
import type { Vector } from './vector.ts'

const FOLDER = new URL('./', import.meta.url)

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const error = (code: 'object.malformed' | 'object.unopened' | 'object.unsigned' | 'record.malformed') => ({
  error: code,
})

export async function makeVectors(): Promise<readonly Vector[]> {
  return [
    ...headerVectors(),
    ...(await floeVectors()),
    ...(await objectVectors()),
    ...(await resultVectors()),
    ...(await signedVectors()),
    ...(await setVectors()),
    ...(await consentVectors()),
  ]
}

/** File name and exact content. */
export function fileOf(vector: Vector, index: number): { readonly file: string; readonly content: string } {
  const name = vector.name.replace(/[^a-z0-9]+/gi, '-').toLowerCase()
  return {
    file: `${String(index + 1).padStart(3, '0')}-${name}.json`,
    content: `${JSON.stringify(vector, undefined, 2)}\n`,
  }
}

function headerVectors(): Vector[] {
  const prefix = encodeSealHeader(HEADER_JWS)
  const make = (name: string, bytes: Uint8Array, note: string): Vector => ({
    name: `prefix ${name}`,
    spec: 'docs/formats/sealed.md §1',
    operation: 'read-seal-header',
    input: { prefix: text(bytes) },
    expect: error('object.malformed'),
    note,
  })
  return [
    {
      ...make(
        'good',
        Buffer.concat([prefix, Buffer.from('ciphertext')]),
        'bytes behind the header do not matter',
      ),
      expect: 'accepted',
      output: { headerJws: HEADER_JWS, offset: prefix.byteLength },
    },
    make('empty', Buffer.alloc(0), 'no magic'),
    make('other magic', change(prefix, 6, 0x32 ^ 0x31), 'CWSEAL2 is another format'),
    make('cut in length', prefix.subarray(0, 11), 'three of four bytes of the length'),
    make('cut in header', prefix.subarray(0, -1), 'the last byte of the header is missing'),
    make(
      'too long',
      Buffer.concat([prefix.subarray(0, 8), u32(4097), Buffer.alloc(4097, 'a')]),
      'one byte over the limit',
    ),
    make(
      'not a JWS',
      Buffer.concat([prefix.subarray(0, 8), u32(5), Buffer.from('a.b=c')]),
      'a character outside base64url',
    ),
    make(
      'two parts',
      Buffer.concat([prefix.subarray(0, 8), u32(3), Buffer.from('a.b')]),
      'a compact JWS has three parts',
    ),
  ]
}

async function floeVectors(): Promise<Vector[]> {
  const parameters = { segmentBytes: 64, rotationMask: 2 }
  const aad = Buffer.from('associated data')
  const plaintext = Buffer.from(Array.from({ length: 300 }, (_, at) => at & 255))
  const good = await floeCiphertext({ plaintext, aad, parameters }, 'floe')
  const segment = (n: number): Buffer => good.subarray(74 + n * 64, 74 + (n + 1) * 64)
  const make = (name: string, ciphertext: Uint8Array, note: string): Vector => ({
    name: `floe ${name}`,
    spec: 'c2sp.org/FLOE; docs/formats/sealed.md §2',
    operation: 'open-floe',
    input: { dek: text(DEK), aad: text(aad), ...parameters, ciphertext: text(ciphertext) },
    expect: error('object.unopened'),
    note,
  })
  const accepted = (name: string, ciphertext: Uint8Array, output: Buffer, note: string): Vector => ({
    ...make(name, ciphertext, note),
    expect: 'accepted',
    output: text(output),
  })
  const wide = { ...parameters, segmentBytes: 128 }
  const wider = await floeCiphertext({ plaintext: plaintext.subarray(0, 8), aad, parameters: wide }, 'wider')
  const empty = await floeCiphertext({ plaintext: Buffer.alloc(0), aad, parameters }, 'empty')
  const aligned = await floeCiphertext({ plaintext: plaintext.subarray(0, 64), aad, parameters }, 'aligned')
  return [
    accepted('ten segments', good, plaintext, 'the segment key changes at segments 4 and 8'),
    accepted('empty', empty, Buffer.alloc(0), 'one empty final segment'),
    accepted('aligned', aligned, plaintext.subarray(0, 64), 'the final segment is full'),
    make('cut at border', good.subarray(0, 74 + 64 * 4), 'the final segment is missing'),
    make('cut in segment', good.subarray(0, -1), 'the last byte is missing'),
    make('cut behind header', good.subarray(0, 74), 'no segment at all'),
    make('cut in header', good.subarray(0, 73), 'the header tag is short'),
    make('extended', Buffer.concat([good, Buffer.alloc(1)]), 'one byte behind the final segment'),
    make('swapped', splice(good, 74, [segment(1), segment(0)]), 'segments 0 and 1 changed places'),
    make('repeated', splice(good, 74 + 64, [segment(0)]), 'segment 0 again in the place of segment 1'),
    make('left out', Buffer.concat([good.subarray(0, 74), good.subarray(74 + 64)]), 'segment 0 is missing'),
    make('of another segment length', wider, 'an honest ciphertext, made with segments of 128 bytes'),
    make('changed parameters', change(good, 5, 0x40), 'another segment length in the header'),
    make('changed algorithm', change(good, 0, 1), 'another AEAD in the header'),
    make('changed iv', change(good, 10, 1), 'the header tag covers the FLOE IV'),
    make('changed header tag', change(good, 42, 1), 'the tag commits to the key'),
    make('changed segment iv', change(good, 74 + 4, 1), 'segment 0'),
    make('changed ciphertext', change(good, 74 + 16, 1), 'segment 0'),
    make('changed tag', change(good, 74 + 63, 1), 'segment 0'),
    make(
      'marker where the end is',
      splice(good, 74 + 64 * 9, [u32(0xffffffff)]),
      'the final segment claims to be none',
    ),
    make('length where a marker is', splice(good, 74, [u32(64)]), 'segment 0 claims to be the final one'),
    withInput(make('other aad', good, 'the key schedule covers the associated data'), {
      aad: text(Buffer.from('other')),
    }),
    withInput(make('other key', good, 'one bit of the DEK'), { dek: text(change(DEK, 0, 1)) }),
    withInput(make('other rotation', good, 'the rotation is no part of the header, the keys differ'), {
      rotationMask: 20,
    }),
  ]
}

async function objectVectors(): Promise<Vector[]> {
  const good = await sealedObject(HEADER_JWS, 'object')
  const ciphertext = 12 + HEADER_JWS.length
  const otherJws = await signCompact(
    SealHeaderFormat,
    { ...HEADER, dataset: 'cohort-2' },
    signerOf('sealing key'),
  )
  const make = (name: string, object: Uint8Array, note: string): Vector => ({
    name: `object ${name}`,
    spec: 'docs/formats/sealed.md §1',
    operation: 'open-object',
    input: { dek: text(DEK), size: HEADER.size, object: text(object) },
    expect: error('object.unopened'),
    note,
  })
  const relabelled = Buffer.concat([encodeSealHeader(otherJws), good.subarray(ciphertext)])
  return [
    { ...make('good', good, 'one segment'), expect: 'accepted', output: text(PLAINTEXT) },
    make('cut', good.subarray(0, -1), 'the last byte is missing'),
    make('extended', Buffer.concat([good, Buffer.alloc(1)]), 'one byte too many'),
    make('changed', change(good, good.byteLength - 20, 1), 'one bit of the ciphertext'),
    make(
      'relabelled',
      relabelled,
      'the header of another dataset, signed by the same key, before this ciphertext',
    ),
    make(
      'changed signature',
      change(good, ciphertext - 4, 1),
      'the ciphertext is bound to every byte of the header',
    ),
    withInput(make('size too small', good, 'the header says one byte less'), { size: HEADER.size - 1 }),
    withInput(make('size too large', good, 'the header says one byte more'), { size: HEADER.size + 1 }),
  ]
}

async function resultVectors(): Promise<Vector[]> {
  const { dek, parts } = await sealedResult('result')
  const whole = Buffer.concat(parts)
  const aad = Buffer.concat([Buffer.from('confidential-worker/result/v1\0'), Buffer.from(RESULT_ID, 'hex')])
  const content = Buffer.from('123456789')
  const sealed = (plaintext: Buffer, seed: string) =>
    floeCiphertext({ plaintext, aad, parameters: FLOE }, seed)
  const make = (name: string, parts: readonly Uint8Array[], note: string, key = DEK): Vector => ({
    name: `result ${name}`,
    spec: 'docs/formats/sealed.md §4',
    operation: 'open-result',
    input: { resultId: RESULT_ID, dek: text(key), parts: parts.map(text) },
    expect: error('object.unopened'),
    note,
  })
  const cut = [whole.subarray(0, 50), whole.subarray(50)]
  return [
    { ...make('good', parts, 'one part', dek), expect: 'accepted', output: text(PLAINTEXT) },
    {
      ...make('in two parts', cut, 'where parts are cut does not matter to opening', dek),
      expect: 'accepted',
      output: text(PLAINTEXT),
    },
    make('parts swapped', cut.toReversed(), 'two parts in the wrong order', dek),
    make('part missing', cut.slice(0, 1), 'the second part is missing', dek),
    withInput(make('other id', parts, 'the result of other work', dek), { resultId: '00'.repeat(32) }),
    make(
      'bit in padding',
      [await sealed(Buffer.concat([u64(9), content, Buffer.from([1])]), 'bit')],
      'padding must be zero',
    ),
    make(
      'padding short',
      [await sealed(Buffer.concat([u64(9), content]), 'short')],
      '17 bytes are padded to 18',
    ),
    make(
      'padding long',
      [await sealed(Buffer.concat([u64(8), content.subarray(1), Buffer.alloc(1)]), 'long')],
      '16 bytes are not padded',
    ),
    make(
      'length too large',
      [await sealed(Buffer.concat([u64(11), content]), 'large')],
      'the length runs beyond the plaintext',
    ),
    make('no length', [await sealed(Buffer.alloc(7), 'none')], 'seven bytes in all'),
  ]
}

async function signedVectors(): Promise<Vector[]> {
  const signer = signerOf('sealing key')
  const { jwk } = signer
  const evidence = signerOf('evidence key')
  const header = (name: string, jws: string, expect: Vector['expect'], note: string): Vector => ({
    name: `header ${name}`,
    spec: 'docs/formats/sealed.md §1.1',
    operation: 'verify-seal-header',
    input: { jws, keys: [jwk] },
    expect,
    note,
  })
  const record = (name: string, jws: string, expect: Vector['expect'], note: string): Vector => ({
    name: `record ${name}`,
    spec: 'docs/formats/sealed.md §3',
    operation: 'verify-seal-record',
    input: { jws, keys: [jwk] },
    expect,
    note,
  })
  const manifest = (name: string, jws: string, expect: Vector['expect'], note: string): Vector => ({
    name: `manifest ${name}`,
    spec: 'docs/formats/sealed.md §5',
    operation: 'verify-result-manifest',
    input: { jws, keys: [evidence.jwk] },
    expect,
    note,
  })
  const goodRecord = await signCompact(SealRecordFormat, RECORD, signer)
  const goodManifest = await signCompact(ResultManifestFormat, MANIFEST, evidence)
  const raw = async (typ: string, payload: string, by: Signer = signer): Promise<string> => {
    const head = JSON.stringify({ alg: 'EdDSA', kid: kidOf(HEADER_JWS), typ })
    const input = `${text(Buffer.from(head))}.${text(Buffer.from(payload))}`
    return `${input}.${text(await by.sign(Buffer.from(input)))}`
  }
  const payload = payloadOf(HEADER_JWS)
  const { custody: _, ...withoutCustody } = HEADER
  return [
    header('good', HEADER_JWS, 'accepted', 'Ed25519'),
    header(
      'signed by another',
      await signCompact(SealHeaderFormat, HEADER, signerOf('other')),
      error('object.unsigned'),
      'a key that the policy does not list',
    ),
    header(
      'changed',
      HEADER_JWS.replace(/.{4}$/, 'AAAA'),
      error('object.unsigned'),
      'the end of the signature',
    ),
    header(
      'of another type',
      await raw('cw-seal-record', payload),
      error('object.unsigned'),
      'typ separates the domains',
    ),
    header(
      'not canonical',
      await raw('cw-seal', ` ${payload}`),
      error('object.malformed'),
      'a blank before the payload',
    ),
    header(
      'with an unknown field',
      await raw('cw-seal', canonical({ ...HEADER, extra: 1 })),
      error('object.malformed'),
      'closed schema',
    ),
    header(
      'without custody',
      await raw('cw-seal', canonical(withoutCustody)),
      error('object.malformed'),
      'absent field',
    ),
    header(
      'with a capital in its name',
      await raw('cw-seal', canonical({ ...HEADER, object: 'Patients' })),
      error('object.malformed'),
      'object names are lower case',
    ),
    header(
      'of a member',
      await raw('cw-seal', canonical({ ...HEADER, set: SET_ID, object: memberName(SET_ID, SEAL_ID) })),
      'accepted',
      'a member lies under set/<set>/ by its sealId',
    ),
    header(
      'of a member outside its set',
      await raw('cw-seal', canonical({ ...HEADER, set: SET_ID })),
      error('object.malformed'),
      'an event would make a job of it',
    ),
    header(
      'of a member in another set',
      await raw('cw-seal', canonical({ ...HEADER, set: SET_ID, object: memberName(SEAL_ID, SEAL_ID) })),
      error('object.malformed'),
      'the folder is that of its own set',
    ),
    header(
      'of no member, under set',
      await raw('cw-seal', canonical({ ...HEADER, object: memberName(SET_ID, SEAL_ID) })),
      error('object.malformed'),
      'no event would make a job of it',
    ),
    header(
      'minimised',
      await raw('cw-seal', canonical({ ...HEADER, minimised: 'minimal' })),
      error('object.malformed'),
      'no view is applied before sealing yet',
    ),
    header(
      'with a FHIR base',
      await raw('cw-seal', canonical({ ...HEADER, baseUrl: 'https://fhir.hospital.example:8443/r4' })),
      'accepted',
      'https, a port and a path',
    ),
    ...(await Promise.all(
      BAD_BASES.map(async ([name, baseUrl, note]) =>
        header(
          `with ${name} in its base`,
          await raw('cw-seal', canonical({ ...HEADER, baseUrl })),
          error('object.malformed'),
          note,
        ),
      ),
    )),
    record('good', goodRecord, 'accepted', 'Ed25519'),
    record(
      'signed by another',
      await signCompact(SealRecordFormat, RECORD, signerOf('other')),
      error('record.malformed'),
      'a key that the policy does not list',
    ),
    record('of another type', HEADER_JWS, error('record.malformed'), 'a seal header is no record'),
    manifest('good', goodManifest, 'accepted', 'Ed25519, no cosignature yet'),
    manifest(
      'signed by another',
      await signCompact(ResultManifestFormat, MANIFEST, signer),
      error('record.malformed'),
      'not the evidence key of the boot',
    ),
    manifest('of another type', goodRecord, error('record.malformed'), 'a seal record is no manifest'),
  ]
}

const BAD_BASES: readonly (readonly [string, string, string])[] = [
  ['http', 'http://fhir.hospital.example/r4', 'https only'],
  ['a slash at the end', 'https://fhir.hospital.example/r4/', 'one spelling'],
  ['a query', 'https://fhir.hospital.example/r4?a=b', 'a base has none'],
  ['credentials', 'https://user@fhir.hospital.example/r4', 'a secret has no place in a header'],
  ['a dot segment', 'https://fhir.hospital.example/a/../r4', 'one spelling'],
  ['a capital host', 'https://FHIR.hospital.example/r4', 'one spelling'],
]

async function setVectors(): Promise<Vector[]> {
  const signer = signerOf('sealing key')
  const verified = (name: string, jws: string, expect: Vector['expect'], note: string): Vector => ({
    name: `set record ${name}`,
    spec: 'docs/formats/sealed.md §3.1',
    operation: 'verify-set-record',
    input: { jws, keys: [signer.jwk] },
    expect,
    note,
  })
  const read = (name: string, object: Uint8Array, note: string): Vector => ({
    name: `set object ${name}`,
    spec: 'docs/formats/sealed.md §3.1',
    operation: 'read-set-record',
    input: { object: text(object) },
    expect: error('object.malformed'),
    note,
  })
  const raw = async (record: Record<string, unknown>): Promise<string> => {
    const head = JSON.stringify({ alg: 'EdDSA', kid: kidOf(HEADER_JWS), typ: 'cw-set' })
    const input = `${text(Buffer.from(head))}.${text(Buffer.from(canonical(record)))}`
    return `${input}.${text(await signer.sign(Buffer.from(input)))}`
  }
  const bad = async (name: string, change: Record<string, unknown>, note: string) =>
    verified(name, await raw({ ...SET_RECORD, ...change }), error('object.malformed'), note)
  const members = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      sealId: seeded(`member ${at}`)(16).toString('hex'),
      headerDigest: seeded(`header ${at}`)(32).toString('base64url'),
      size: Number.MAX_SAFE_INTEGER,
    }))
  const good = await signCompact(SetRecordFormat, SET_RECORD, signer)
  const stored = encodeSetRecord(good)
  const [first, ...others] = SET_RECORD.members
  const longest = `a.b.${'c'.repeat(SET_RECORD_BYTES - 12)}`
  const full = await signCompact(SetRecordFormat, { ...SET_RECORD, members: members(64) }, signer)
  return [
    verified('good', good, 'accepted', 'three members'),
    verified('full', full, 'accepted', '64 members'),
    verified(
      'signed by another',
      await signCompact(SetRecordFormat, SET_RECORD, signerOf('other')),
      error('object.unsigned'),
      'a key that the policy does not list',
    ),
    verified('of another type', HEADER_JWS, error('object.unsigned'), 'a seal header is no set record'),
    await bad('without members', { members: [] }, 'a set has a member'),
    await bad('with 65 members', { members: members(65) }, 'a set has at most 64 members'),
    await bad('with a member twice', { members: [first, first, ...others] }, 'each member is named once'),
    await bad(
      'inside its own folder',
      { name: memberName(SET_ID, SET_ID) },
      'no event would make a job of it',
    ),
    await bad('with a short id', { set: SET_ID.slice(2) }, '128 bits'),
    await bad('with an unknown field', { extra: 1 }, 'closed schema'),
    { ...read('good', stored, 'magic and JWS'), expect: 'accepted', output: good },
    read('other magic', change(stored, 6, 0x32 ^ 0x31), 'CWSETR2 is another format'),
    read('not a JWS', Buffer.concat([stored, Buffer.from('\n')]), 'a line feed behind the signature'),
    read('too long', encodeSetRecord(`a.b.${'c'.repeat(SET_RECORD_BYTES - 11)}`), 'one byte over the limit'),
    {
      ...read('of the greatest length', encodeSetRecord(longest), 'at the limit'),
      expect: 'accepted',
      output: longest,
    },
  ]
}

function withInput(vector: Vector, input: Record<string, unknown>): Vector {
  // The fields given replace fields of the same vector's own input.
  return { ...vector, input: { ...vector.input, ...input } } as Vector
}

function change(bytes: Uint8Array, at: number, mask: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt8(changed.readUInt8(at) ^ mask, at)
  return changed
}

function splice(bytes: Buffer, at: number, pieces: readonly Buffer[]): Buffer {
  const inserted = Buffer.concat(pieces)
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + inserted.byteLength)])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function canonical(value: Record<string, unknown>): string {
  return Buffer.from(canonicalBytes(value)).toString()
}

function payloadOf(jws: string): string {
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()
}

function kidOf(jws: string): string {
  return JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()).kid
}

if (import.meta.main) {
  const files = (await makeVectors()).map(fileOf)
  for (const old of readdirSync(FOLDER)) if (old.endsWith('.json')) rmSync(new URL(old, FOLDER))
  for (const { file, content } of files) writeFileSync(new URL(file, FOLDER), content)
}
