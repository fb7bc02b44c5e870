/**
 * Vectors of the form of X.509: certificates with a right signature, but not in the one form that AMD uses.
 */

import { AMD_OID } from '#core/snp/extensions.ts'
import { nameOf } from '#lab/amd/certificate.ts'
import {
  bits,
  boolean,
  explicit,
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
import { authentic, refused } from './cases.ts'
import { hashOf, MGF1, PSS, pkcs1, pss, pssAlgorithm, SHA256, SHA384 } from './keys.ts'
import type { Case } from './vector.ts'
import { BEGIN, type Change, extensionsOf, KEYS, LEAF_END, leafOf, leafRows, replaced } from './world.ts'

const leaf = (change: Change, scheme = pss(KEYS.ask)) => ({
  certs: [leafOf('Genoa', 'vcek', change, scheme)],
})
const malformed = (name: string, change: Change, scheme = pss(KEYS.ask)) =>
  refused(name, 'chain.malformed', leaf(change, scheme))
const ROWS = extensionsOf(leafRows('Genoa'))
const withMore = (...more: readonly Buffer[]): Change => ({ extensions: [...ROWS, ...more] })

export function formVectors(): readonly Case[] {
  return [
    authentic('as AMD makes it'),
    ...outerVectors(),
    ...algorithmVectors(),
    ...partVectors(),
    ...nameVectors(),
    ...timeVectors(),
    ...extensionVectors(),
  ]
}

function outerVectors(): readonly Case[] {
  const { algorithm } = pss(KEYS.ask)
  return [
    refused('of one part', 'chain.malformed', { certs: [sequence(sequence())] }),
    refused('of no part', 'chain.malformed', { certs: [sequence()] }),
    refused('whose first part has two parts', 'chain.malformed', {
      certs: [sequence(sequence(explicit(0, integer(2)), integer(0)), algorithm, bits(Buffer.alloc(512)))],
    }),
    malformed('of its first part alone', { outer: Buffer.alloc(0), ending: () => [] }),
    malformed('of two parts', { ending: () => [] }),
    malformed('of four parts', { ending: (signature) => [bits(signature), nothing()] }),
    malformed('that names another algorithm outside', { outer: pkcs1(KEYS.ask).algorithm }),
    malformed('that writes the same algorithm otherwise outside', {
      outer: pssAlgorithm({ more: [explicit(3, integer(1))] }),
    }),
    malformed('whose signature has unused bits', { ending: (signature) => [bits(signature, 1)] }),
    malformed('whose signature is an OCTET STRING', {
      ending: (signature) => [octets(Buffer.from([0, ...signature]))],
    }),
    malformed('whose signature is empty', { ending: () => [Buffer.from('0300', 'hex')] }),
    refused(
      'whose signature has a byte more',
      'chain.untrusted',
      leaf({ ending: (signature) => [bits(Buffer.from([...signature, 0]))] }),
    ),
    refused('a SET for a SEQUENCE', 'chain.malformed', { certs: [setFor(leafOf('Genoa'), 0)] }),
    refused('nesting without end', 'chain.malformed', {
      certs: [Buffer.concat([Buffer.alloc(2000, 0x30), Buffer.of(0)])],
    }),
    refused('an indefinite length', 'chain.malformed', { certs: [Buffer.from('30800000', 'hex')] }),
    authentic(
      'that writes the trailer field of PSS',
      leaf({}, { ...pss(KEYS.ask), algorithm: pssAlgorithm({ more: [explicit(3, integer(1))] }) }),
    ),
    authentic(
      'that leaves out the parameters of its hashes',
      leaf(
        {},
        {
          ...pss(KEYS.ask),
          algorithm: pssAlgorithm({
            hash: sequence(oid(SHA384)),
            mask: sequence(oid(MGF1), sequence(oid(SHA384))),
          }),
        },
      ),
    ),
    authentic('that names its algorithm as AMD does', leaf({}, { ...pss(KEYS.ask), algorithm })),
  ]
}

function setFor(der: Buffer, at: number): Buffer {
  const changed = Buffer.from(der)
  changed.writeUInt8(0x31, at)
  return changed
}

/** Signature algorithms. The signature itself is right in all of them. */
function algorithmVectors(): readonly Case[] {
  const parameters = sequence(
    explicit(0, hashOf(SHA384)),
    explicit(1, sequence(oid(MGF1), hashOf(SHA384))),
    explicit(2, integer(48)),
  )
  const said = (algorithm: Buffer) => [{}, { ...pss(KEYS.ask), algorithm }] as const
  const algorithms: Readonly<Record<string, Buffer>> = {
    'under another name than PSS': sequence(oid('1.2.840.113549.1.1.12'), parameters),
    'with something after its parameters': sequence(oid(PSS), parameters, nothing()),
    'without parameters': sequence(oid(PSS)),
    'with another hash': pssAlgorithm({ hash: hashOf(SHA256) }),
    'with a hash that has other parameters': pssAlgorithm({ hash: sequence(oid(SHA384), integer(0)) }),
    'with a hash that has an empty OCTET STRING': pssAlgorithm({
      hash: sequence(oid(SHA384), octets(Buffer.alloc(0))),
    }),
    'with a hash that has a NULL of one byte': pssAlgorithm({
      hash: sequence(oid(SHA384), Buffer.from('050100', 'hex')),
    }),
    'with a hash that has two parameters': pssAlgorithm({
      hash: sequence(oid(SHA384), nothing(), nothing()),
    }),
    'with two hashes': pssAlgorithm({ hash: Buffer.concat([hashOf(SHA384), hashOf(SHA384)]) }),
    'with another mask': pssAlgorithm({ mask: sequence(oid('1.2.3'), hashOf(SHA384)) }),
    'with another hash in its mask': pssAlgorithm({ mask: sequence(oid(MGF1), hashOf(SHA256)) }),
    'with a mask that has more': pssAlgorithm({ mask: sequence(oid(MGF1), hashOf(SHA384), nothing()) }),
    'with a salt of 32 by its word': pssAlgorithm({ salt: integer(32) }),
    'with a salt of 512 by its word': pssAlgorithm({ salt: integer(512) }),
    'with a trailer of 0': pssAlgorithm({ more: [explicit(3, integer(0))] }),
    'with a trailer of 2': pssAlgorithm({ more: [explicit(3, integer(2))] }),
    'with something after its trailer': pssAlgorithm({ more: [explicit(3, integer(1)), nothing()] }),
    'with something in the place of its trailer': pssAlgorithm({ more: [nothing()] }),
  }
  return Object.entries(algorithms).map(([name, algorithm]) =>
    malformed(`an algorithm ${name}`, ...said(algorithm)),
  )
}

function partVectors(): readonly Case[] {
  const rows = explicit(3, sequence(...ROWS))
  const twenty = Buffer.concat([Buffer.from('02147f', 'hex'), Buffer.alloc(19)])
  return [
    malformed('of version 2', { version: [explicit(0, integer(1))] }),
    malformed('of version 4', { version: [explicit(0, integer(3))] }),
    malformed('of no version', { version: [] }),
    malformed('of a version without its tag', { version: [integer(2)] }),
    malformed('of two versions', { version: [explicit(0, Buffer.concat([integer(2), integer(2)]))] }),
    malformed('of a version that is empty', { version: [explicit(0, Buffer.alloc(0))] }),
    authentic('with a serial number of 20 bytes', leaf({ serial: twenty })),
    malformed('with a serial number of 21 bytes', {
      serial: Buffer.concat([Buffer.from('02157f', 'hex'), Buffer.alloc(20)]),
    }),
    authentic(
      'with a serial number of 20 bytes and a sign',
      leaf({ serial: Buffer.concat([Buffer.from('021500ff', 'hex'), Buffer.alloc(19)]) }),
    ),
    malformed('with a negative serial number', { serial: Buffer.from('0201ff', 'hex') }),
    malformed('with a serial number of 128 and no sign', { serial: Buffer.from('020180', 'hex') }),
    malformed('with a serial number that has a byte to spare', { serial: Buffer.from('02020000', 'hex') }),
    malformed('with a serial number of no bytes', { serial: Buffer.from('0200', 'hex') }),
    malformed('without extensions', { afterKey: [] }),
    malformed('without key and extensions', { key: Buffer.alloc(0), afterKey: [] }),
    malformed('without a key', { key: Buffer.alloc(0) }),
    malformed('with a unique id before its extensions', {
      afterKey: [explicit(1, bits(Buffer.alloc(1))), rows],
    }),
    malformed('with its extensions under another tag', { afterKey: [explicit(2, sequence(...ROWS))] }),
    malformed('with something after its extensions', { afterKey: [rows, nothing()] }),
    malformed('with extensions twice', {
      afterKey: [explicit(3, Buffer.concat([sequence(...ROWS), sequence(...ROWS)]))],
    }),
    malformed('with extensions that are a SET', { afterKey: [explicit(3, set(...ROWS))] }),
    malformed('with three times', { validity: sequence(time(BEGIN), time(LEAF_END), time(LEAF_END)) }),
    malformed('with one time', { validity: sequence(time(BEGIN)) }),
  ]
}

const attribute = (name: string, text: Buffer) => set(sequence(oid(name), text))
const COMMON_NAME = '2.5.4.3'
const AMD = [
  attribute('2.5.4.11', utf8Text('Engineering')),
  attribute('2.5.4.6', printable('US')),
  attribute('2.5.4.7', utf8Text('Santa Clara')),
  attribute('2.5.4.8', utf8Text('CA')),
  attribute('2.5.4.10', utf8Text('Advanced Micro Devices')),
]

/** Names with a right common name, so only the rest of the name is wrong. */
function nameVectors(): readonly Case[] {
  const common = (text: string) => attribute(COMMON_NAME, utf8Text(text))
  const names: Readonly<Record<string, (text: string) => Buffer>> = {
    'of another organisation': (text) =>
      sequence(...AMD.slice(0, 4), attribute('2.5.4.10', utf8Text('Advanced Micro Device')), common(text)),
    'without its first part': (text) => sequence(...AMD.slice(1), common(text)),
    'in another order': (text) =>
      sequence(AMD[1] ?? nothing(), AMD[0] ?? nothing(), ...AMD.slice(2), common(text)),
    'with a country in UTF-8': (text) =>
      sequence(...AMD.slice(0, 1), attribute('2.5.4.6', utf8Text('US')), ...AMD.slice(2), common(text)),
    'with two common names': (text) => sequence(...AMD, common('SEV-VCEK'), common(text)),
    'with two common names in one set': (text) =>
      sequence(
        ...AMD,
        set(sequence(oid(COMMON_NAME), utf8Text(text)), sequence(oid(COMMON_NAME), utf8Text('A'))),
      ),
    'whose common name has three parts': (text) =>
      sequence(...AMD, set(sequence(oid(COMMON_NAME), utf8Text(text), nothing()))),
    'whose common name is an organisation': (text) => sequence(...AMD, attribute('2.5.4.10', utf8Text(text))),
    'whose common name is printable': (text) => sequence(...AMD, attribute(COMMON_NAME, printable(text))),
    'of one part': (text) => sequence(common(text)),
    'of no part': () => sequence(),
    'that is a SET': (text) => set(...AMD, common(text)),
  }
  return [
    ...Object.entries(names).flatMap(([name, make]) => [
      malformed(`a subject ${name}`, { subject: make('SEV-VCEK') }),
      malformed(`an issuer ${name}`, { issuer: make('SEV-Genoa') }),
    ]),
    ...['SEV VCEK', '', 'SEV-VCEK\0', 'x'.repeat(33)].map((text) =>
      refused(`an issuer called ${JSON.stringify(text)}`, 'chain.malformed', leaf({ issuer: nameOf(text) })),
    ),
    refused('an issuer of 1 character', 'chain.untrusted', leaf({ issuer: nameOf('x') })),
    refused('an issuer of 32 characters', 'chain.untrusted', leaf({ issuer: nameOf('x'.repeat(32)) })),
  ]
}

/** Times. The verification is at a time that the certificate would cover under a lenient reading. */
function timeVectors(): readonly Case[] {
  const utc = (text: string) => Buffer.concat([Buffer.of(0x17, text.length), Buffer.from(text)])
  const general = (text: string) => Buffer.concat([Buffer.of(0x18, text.length), Buffer.from(text)])
  const from = (begin: Buffer) => ({ validity: sequence(begin, time(LEAF_END)) })
  const until = (end: Buffer) => ({ validity: sequence(time(BEGIN), end) })
  return [
    malformed('from the 13th month', from(utc('241301000000Z'))),
    malformed('from the 30th of February', from(utc('240230000000Z'))),
    malformed('from a time without seconds', from(utc('2401010000Z'))),
    malformed('from a time with an offset', from(utc('240101000000+0000'))),
    malformed('from a time with fractions', from(general('20240101000000.0Z'))),
    malformed('from a time in the form of RFC 3339', from(general('2024-01-01T00:00:00Z'))),
    malformed('from a time that is an INTEGER', from(integer(1_700_000_000))),
    authentic('from a GeneralizedTime', leaf(from(general('20240101000000Z')))),
    authentic('from 1970', leaf(from(utc('700101000000Z')))),
    malformed('from 1950, by its two digits', from(utc('500101000000Z'))),
    authentic('until 2049, by its two digits', leaf(until(utc('491231235959Z')))),
    malformed('until 1950, by its two digits', until(utc('500101000000Z'))),
    refused('until 1999, by its two digits', 'chain.expired', leaf(until(utc('991231235959Z')))),
  ]
}

function extensionVectors(): readonly Case[] {
  const value = octets(nothing())
  const name = oid('1.2.3.4')
  const nested = (bytes: string) => sequence(Buffer.from(bytes, 'hex'), value)
  return [
    malformed('an extension of its name alone', withMore(sequence(name))),
    malformed('an extension of two values', withMore(sequence(name, value, value))),
    malformed('an extension of four parts', withMore(sequence(name, boolean(true), value, nothing()))),
    malformed('an extension whose value is no OCTET STRING', withMore(sequence(name, nothing()))),
    malformed('an extension without a name', withMore(sequence(value))),
    malformed('an extension that is a SET', withMore(set(name, value))),
    malformed(
      'an extension with a TRUE of 01',
      withMore(sequence(name, Buffer.from('010101', 'hex'), value)),
    ),
    malformed(
      'an extension with a TRUE of two bytes',
      withMore(sequence(name, Buffer.from('0102ffff', 'hex'), value)),
    ),
    malformed('an extension with critical as an INTEGER', withMore(sequence(name, integer(0), value))),
    malformed('an extension named by nothing', withMore(nested('0600'))),
    malformed('an extension whose name is cut short', withMore(nested('06022a83'))),
    malformed('an extension whose name has an octet to spare', withMore(nested('06032a8003'))),
    malformed('an extension whose name has an arc of five octets', withMore(nested('06062a8180808003'))),
    authentic('an extension whose name has an arc of four octets', leaf(withMore(nested('06052a81808003')))),
    authentic('an extension whose name has an arc of 127', leaf(withMore(nested('06032a7f03')))),
    ...lengthVectors(),
    malformed('an extension whose end is beyond that of its list', {
      afterKey: [explicit(3, sequence(...ROWS, Buffer.from('300906032a0304040205', 'hex')))],
    }),
    malformed('an extension of a tag alone', {
      afterKey: [explicit(3, sequence(...ROWS, Buffer.from('30', 'hex')))],
    }),
  ]
}

/**
 * Lengths that are not in the fewest octets (X.690 §10.1): in an unused extension, and in the product name.
 */
function lengthVectors(): readonly Case[] {
  const valued = (header: string, bytes: number) =>
    withMore(sequence(oid('1.2.3.4'), Buffer.from(header, 'hex'), Buffer.alloc(bytes)))
  const productName = (header: string, characters: number): Change => ({
    extensions: extensionsOf(
      replaced(
        leafRows('Genoa'),
        AMD_OID.productName,
        Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(characters, 'x')]),
      ),
    ),
  })
  const mismatch = (name: string, change: Change) => refused(name, 'chain.product-mismatch', leaf(change))
  return [
    authentic('an extension of 127 bytes', leaf(valued('047f', 127))),
    authentic('an extension of 128 bytes', leaf(valued('048180', 128))),
    authentic('an extension of 255 bytes', leaf(valued('0481ff', 255))),
    authentic('an extension of 256 bytes', leaf(valued('04820100', 256))),
    malformed('an extension of 255 bytes, with two octets for it', valued('048200ff', 255)),
    malformed('an extension of 128 bytes, with two octets for it', valued('04820080', 128)),
    malformed('an extension of 256 bytes, with three octets for it', valued('0483000100', 256)),
    malformed('an extension of 127 bytes, with an octet more for it', valued('04817f', 127)),
    malformed('an extension of 1 byte, with seven octets for its length', valued('048700000000000001', 1)),
    malformed('an extension of 128 bytes, of an indefinite length', valued('0480', 128)),
    mismatch('a product name of 1 character', productName('1601', 1)),
    mismatch('a product name of 127 characters', productName('167f', 127)),
    mismatch('a product name of 128 characters', productName('168180', 128)),
    malformed('a product name of 128 characters, of an indefinite length', productName('1680', 128)),
    malformed('a product name of 128 characters, with two octets for it', productName('16820080', 128)),
    malformed('a product name of 127 characters, with an octet more for it', productName('16817f', 127)),
    malformed('a product name whose length is cut short', productName('1682', 0)),
    malformed('a product name whose length is cut short after one of two octets', productName('168201', 0)),
  ]
}
