/** Certificates that are malformed in one way each. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { assertIntermediate, assertRoot, parseCertificate } from '#core/snp/certificate.ts'
import { ia5Of, Malformed, parseDer } from '#core/snp/der.ts'
import { authorityExtensions, extension } from '#lab/amd/certificate.ts'
import {
  bits,
  boolean,
  explicit,
  ia5,
  integer,
  nothing,
  octets,
  oid,
  printable,
  sequence,
  set,
  time,
  utf8Text,
} from '#lab/amd/der.ts'

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({
  format: 'der',
  type: 'spki',
})
const attribute = (name: string, text: Buffer) => set(sequence(oid(name), text))
const COMMON_NAME = attribute('2.5.4.3', utf8Text('SEV-VCEK'))
const AMD = [
  attribute('2.5.4.11', utf8Text('Engineering')),
  attribute('2.5.4.6', printable('US')),
  attribute('2.5.4.7', utf8Text('Santa Clara')),
  attribute('2.5.4.8', utf8Text('CA')),
  attribute('2.5.4.10', utf8Text('Advanced Micro Devices')),
]
const NAME = sequence(...AMD, COMMON_NAME)
const PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const HASH = sequence(oid(SHA384), nothing())

type Parameters = {
  readonly hash?: Buffer
  readonly mask?: Buffer
  readonly salt?: Buffer
  readonly more?: readonly Buffer[]
}
function pss({
  hash = HASH,
  mask = sequence(oid(MGF1), HASH),
  salt = integer(48),
  more = [],
}: Parameters = {}): Buffer {
  return sequence(oid(PSS), sequence(explicit(0, hash), explicit(1, mask), explicit(2, salt), ...more))
}

type Parts = {
  readonly version?: Buffer
  readonly algorithm?: Buffer
  readonly outer?: Buffer
  readonly serial?: Buffer
  readonly issuer?: Buffer
  readonly subject?: Buffer
  readonly validity?: Buffer
  readonly afterKey?: readonly Buffer[]
  readonly extensions?: Buffer
  readonly afterTbs?: readonly Buffer[]
}

function certificate(parts: Parts = {}): Buffer {
  const {
    version = explicit(0, integer(2)),
    algorithm = pss(),
    outer = algorithm,
    serial = integer(0),
    issuer = NAME,
    subject = NAME,
    validity = sequence(time(1_700_000_000), time(2_700_000_000)),
    extensions = explicit(3, sequence(extension('1.2.3', nothing()))),
    afterKey = [extensions],
    afterTbs = [bits(Buffer.alloc(512))],
  } = parts
  const tbs = sequence(version, serial, algorithm, issuer, validity, subject, KEY, ...afterKey)
  return sequence(tbs, outer, ...afterTbs)
}

test('reads validity in both forms, and extensions', () => {
  const { notBefore, notAfter, extensions } = parseCertificate(certificate())
  assert.deepEqual([notBefore, notAfter], [1_700_000_000, 2_700_000_000])
  assert.deepEqual([...extensions], [['1.2.3', { critical: false, value: nothing() }]])
})

for (const [text, expected] of [
  ['500101000000Z', -631_152_000],
  ['700101000000Z', 0],
  ['491231235959Z', 2_524_607_999],
] as const)
  test(`UTCTime ${text}`, () => {
    const validity = sequence(Buffer.concat([Buffer.of(0x17, 13), Buffer.from(text)]), time(2_700_000_000))
    if (expected < 0) assert.throws(() => parseCertificate(certificate({ validity })), Malformed)
    else assert.equal(parseCertificate(certificate({ validity })).notBefore, expected)
  })

test('hash algorithms may omit their parameters', () => {
  const hash = sequence(oid(SHA384))
  assert.ok(parseCertificate(certificate({ algorithm: pss({ hash, mask: sequence(oid(MGF1), hash) }) })))
})

const refused: Readonly<Record<string, Buffer>> = {
  'two parts': certificate({ afterTbs: [] }),
  'four parts': certificate({ afterTbs: [bits(Buffer.alloc(1)), nothing()] }),
  'version 2': certificate({ version: explicit(0, integer(1)) }),
  'version 4': certificate({ version: explicit(0, integer(3)) }),
  'no version': certificate({ version: integer(0) }),
  'two versions': certificate({ version: explicit(0, Buffer.concat([integer(2), integer(2)])) }),
  'an empty version': certificate({ version: explicit(0, Buffer.alloc(0)) }),
  'two algorithms': certificate({ outer: pss({ more: [explicit(3, integer(1))] }) }),
  'an algorithm with a third part': certificate({ algorithm: sequence(oid(PSS), sequence(), nothing()) }),
  'a correct algorithm with a third part': certificate({
    algorithm: sequence(
      oid(PSS),
      sequence(explicit(0, HASH), explicit(1, sequence(oid(MGF1), HASH)), explicit(2, integer(48))),
      nothing(),
    ),
  }),
  'the parameters of PSS under another name': certificate({
    algorithm: sequence(
      oid('1.2.840.113549.1.1.12'),
      sequence(explicit(0, HASH), explicit(1, sequence(oid(MGF1), HASH)), explicit(2, integer(48))),
    ),
  }),
  'another hash': certificate({
    algorithm: pss({ hash: sequence(oid('2.16.840.1.101.3.4.2.3'), nothing()) }),
  }),
  'a hash with other parameters': certificate({
    algorithm: pss({ hash: sequence(oid(SHA384), integer(0)) }),
  }),
  'a hash with two parameters': certificate({
    algorithm: pss({ hash: sequence(oid(SHA384), nothing(), nothing()) }),
  }),
  'two hashes': certificate({ algorithm: pss({ hash: Buffer.concat([HASH, HASH]) }) }),
  'another mask': certificate({ algorithm: pss({ mask: sequence(oid('1.2.3'), HASH) }) }),
  'another hash in the mask': certificate({
    algorithm: pss({ mask: sequence(oid(MGF1), sequence(oid('2.16.840.1.101.3.4.2.1'), nothing())) }),
  }),
  'a mask with a third part': certificate({ algorithm: pss({ mask: sequence(oid(MGF1), HASH, HASH) }) }),
  'another salt': certificate({ algorithm: pss({ salt: integer(20) }) }),
  'a trailer of 0': certificate({ algorithm: pss({ more: [explicit(3, integer(0))] }) }),
  'a part after the trailer': certificate({
    algorithm: pss({ more: [explicit(3, integer(1)), explicit(4, integer(1))] }),
  }),
  'a negative serial number': certificate({ serial: Buffer.from('0201ff', 'hex') }),
  'a serial number of 21 bytes': certificate({
    serial: Buffer.concat([Buffer.from('02151f', 'hex'), Buffer.alloc(20)]),
  }),
  'an issuer without its last part': certificate({ issuer: sequence(...AMD) }),
  'an issuer other than AMD': certificate({
    issuer: sequence(attribute('2.5.4.11', utf8Text('Engineerinh')), ...AMD.slice(1), COMMON_NAME),
  }),
  'a subject in another order': certificate({ subject: sequence(COMMON_NAME, ...AMD) }),
  'a subject with two common names': certificate({ subject: sequence(...AMD, COMMON_NAME, COMMON_NAME) }),
  'a subject with two common names in one set': certificate({
    subject: sequence(
      ...AMD,
      set(sequence(oid('2.5.4.3'), utf8Text('SEV-VCEK')), sequence(oid('2.5.4.3'), utf8Text('A'))),
    ),
  }),
  'a subject whose common name has three parts': certificate({
    subject: sequence(...AMD, set(sequence(oid('2.5.4.3'), utf8Text('SEV-VCEK'), nothing()))),
  }),
  'a subject whose common name is an organisation': certificate({
    subject: sequence(...AMD, attribute('2.5.4.10', utf8Text('SEV-VCEK'))),
  }),
  'a subject whose common name is a PrintableString': certificate({
    subject: sequence(...AMD, attribute('2.5.4.3', printable('SEV-VCEK'))),
  }),
  'a subject with a NUL in its common name': certificate({
    subject: sequence(...AMD, attribute('2.5.4.3', utf8Text('SEV-VCEK\0'))),
  }),
  'a subject that is a set': certificate({ subject: set(...AMD, COMMON_NAME) }),
  'a signature with unused bits': certificate({ afterTbs: [bits(Buffer.alloc(512), 1)] }),
  'no signature': certificate({ afterTbs: [nothing()] }),
  'three times of validity': certificate({ validity: sequence(time(1), time(2), time(3)) }),
  'one time of validity': certificate({ validity: sequence(time(1)) }),
  'an invalid time': certificate({
    validity: sequence(Buffer.concat([Buffer.of(0x17, 13), Buffer.from('701301000000Z')]), time(2)),
  }),
  'a time with an offset': certificate({
    validity: sequence(Buffer.concat([Buffer.of(0x17, 17), Buffer.from('700101000000+0100')]), time(2)),
  }),
  'a UTCTime in the form of RFC 3339': certificate({
    validity: sequence(Buffer.concat([Buffer.of(0x17, 18), Buffer.from('70-01-01T00:00:00Z')]), time(2)),
  }),
  'a GeneralizedTime in the form of RFC 3339': certificate({
    validity: sequence(Buffer.concat([Buffer.of(0x18, 20), Buffer.from('1970-01-01T00:00:00Z')]), time(2)),
  }),
  'no extensions': certificate({ afterKey: [] }),
  'a unique id before the extensions': certificate({
    afterKey: [explicit(1, bits(Buffer.alloc(1))), explicit(3, sequence(extension('1.2.3', nothing())))],
  }),
  'a unique id instead of extensions': certificate({ afterKey: [explicit(2, sequence())] }),
  'something after the extensions': certificate({
    afterKey: [explicit(3, sequence(extension('1.2.3', nothing()))), nothing()],
  }),
  'extensions without a list': certificate({ extensions: explicit(3, nothing()) }),
  'an extension of one part': certificate({ extensions: explicit(3, sequence(sequence(oid('1.2.3')))) }),
  'an extension of four parts': certificate({
    extensions: explicit(3, sequence(sequence(oid('1.2.3'), boolean(true), octets(nothing()), nothing()))),
  }),
  'an extension of two values': certificate({
    extensions: explicit(3, sequence(sequence(oid('1.2.3'), octets(nothing()), octets(nothing())))),
  }),
  'an extension whose value is not an OCTET STRING': certificate({
    extensions: explicit(3, sequence(sequence(oid('1.2.3'), nothing()))),
  }),
  'an extension with another encoding of TRUE': certificate({
    extensions: explicit(3, sequence(sequence(oid('1.2.3'), Buffer.of(1, 1, 1), octets(nothing())))),
  }),
  'a set instead of a sequence': set(nothing()),
  'a sequence with the primitive tag': Buffer.from('1000', 'hex'),
  '2000 nested sequences': Buffer.concat([Buffer.alloc(2000, 0x30), Buffer.of(0)]),
  'an indefinite length': Buffer.from('30800000', 'hex'),
}
for (const [name, der] of Object.entries(refused))
  test(`refuses ${name}`, () => {
    assert.throws(() => parseCertificate(der), Malformed)
  })

const USAGE = '2.5.29.15'
const [GOOD_USAGE = Buffer.alloc(0), CONSTRAINTS = Buffer.alloc(0)] = authorityExtensions(0)
const authority = (...rows: readonly Buffer[]) =>
  parseCertificate(certificate({ extensions: explicit(3, sequence(...rows)) }))

test('a root may sign certificates and revocation lists, and certify authorities', () => {
  const [rootUsage = Buffer.alloc(0), unlimited = Buffer.alloc(0)] = authorityExtensions()
  assertRoot(authority(rootUsage, unlimited))
  for (const usage of ['03020204', '03020102', '03020100'])
    assert.throws(
      () => assertRoot(authority(extension(USAGE, Buffer.from(usage, 'hex'), true), unlimited)),
      Malformed,
    )
  assert.throws(() => assertRoot(authority(rootUsage, CONSTRAINTS)), Malformed)
  assert.throws(() => assertIntermediate(authority(rootUsage, unlimited)), Malformed)
})

test('an authority may sign certificates', () => {
  assertIntermediate(authority(GOOD_USAGE, CONSTRAINTS))
  // AMD's encoding: one unused bit, where DER requires two.
  assertIntermediate(authority(extension(USAGE, Buffer.from('03020104', 'hex'), true), CONSTRAINTS))
})

for (const usage of ['030202', '0302020400', '04020204', '03030204', '03020280', '0500'])
  test(`an authority with the key usage ${usage} is refused`, () => {
    const body = authority(extension(USAGE, Buffer.from(usage, 'hex'), true), CONSTRAINTS)
    assert.throws(() => assertIntermediate(body), Malformed)
  })

for (const [name, value] of [
  ['empty', sequence()],
  ['FALSE', sequence(boolean(false), integer(0))],
  ['without a path length', sequence(boolean(true))],
  ['of path length 1', sequence(boolean(true), integer(1))],
  ['of three parts', sequence(boolean(true), integer(0), integer(0))],
] as const)
  test(`an authority whose basic constraints are ${name} is refused`, () => {
    const body = authority(GOOD_USAGE, extension('2.5.29.19', value, true))
    assert.throws(() => assertIntermediate(body), Malformed)
  })

for (const [name, text] of [
  ['no characters', ''],
  ['text with a line break', 'Genoa\n'],
  ['129 characters', 'x'.repeat(129)],
] as const)
  test(`an IA5String of ${name} is refused`, () => {
    assert.throws(() => ia5Of(parseDer(ia5(text))), Malformed)
  })
