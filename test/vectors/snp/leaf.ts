/**
 * Vectors of the endorsement certificate: its signer, its extensions and its validity. Each is signed after
 * its change.
 */
import { createPublicKey } from 'node:crypto'
import { AMD_OID, SPL_OID, SPL_ROWS } from '#core/snp/extensions.ts'
import { MAX_CERTIFICATE_BYTES } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { extension } from '#lab/amd/certificate.ts'
import { bits, boolean, ia5, integer, nothing, octets, oid, sequence } from '#lab/amd/der.ts'
import { authentic, type Choice, refused, usualLeaf, usualRoot } from './cases.ts'
import { ecKey, type PssChoice, pkcs1, pss, SHA256 } from './keys.ts'
import type { Case } from './vector.ts'
import {
  arkOf,
  askOf,
  BEGIN,
  type Change,
  extensionsOf,
  hardwareIdOf,
  KEYS,
  LEAF_END,
  type LeafRow,
  leafKey,
  leafOf,
  leafRows,
  NOW,
  replaced,
} from './world.ts'

const MALFORMED = 'chain.malformed'
const UNTRUSTED = 'chain.untrusted'
const critical = (name: string, value: Buffer) => extension(name, value, true)
const CONSTRAINTS = '2.5.29.19'

export function leafVectors(): readonly Case[] {
  return [
    authentic('as AMD makes it'),
    ...listVectors(),
    ...issuerVectors(),
    ...schemeVectors(),
    ...keyVectors(),
    ...extensionVectors(),
    ...ownerVectors(),
    ...timeVectors(),
  ]
}

/** The patch levels of Turin, and its hardware id of 8 bytes. */
export function turinLeafVectors(): readonly Case[] {
  return [authentic('as AMD makes it', { product: 'Turin' }), ...levelVectors('Turin'), ...idVectors('Turin')]
}

const leaf = (change: Change) => ({ certs: [leafOf('Genoa', 'vcek', change)] })
const withRows = (rows: readonly LeafRow[], product: Product = 'Genoa') => ({
  product,
  certs: [leafOf(product, 'vcek', { rows })],
})
const ROWS = leafRows('Genoa')
const withRow = (name: string, ...values: readonly Buffer[]) => withRows(replaced(ROWS, name, ...values))
const withMore = (...more: readonly Buffer[]) => leaf({ extensions: [...extensionsOf(ROWS), ...more] })

function listVectors(): readonly Case[] {
  const good = usualLeaf('Genoa', 'vcek')
  const [ask, ark] = [askOf('Genoa'), arkOf('Genoa')]
  const overhead = leafOf('Genoa', 'vcek', {
    extensions: [...extensionsOf(ROWS), extension('1.2.3.4', Buffer.alloc(2000))],
  })
  const sized = (size: number) =>
    withMore(extension('1.2.3.4', Buffer.alloc(2000 + size - overhead.byteLength)))
  const pem = `-----BEGIN CERTIFICATE-----\n${good.toString('base64')}\n-----END CERTIFICATE-----\n`
  return [
    refused('no certificate', 'chain.missing', { certs: [] }),
    authentic('with ASK and ARK', { certs: [good, ask, ark] }),
    authentic('with ARK and ASK, of which the verifier has neither ASK', {
      certs: [good, ark, ask],
      roots: [usualRoot('Genoa')],
    }),
    refused('four certificates', MALFORMED, { certs: [good, ask, ark, ark] }),
    refused('another certificate that is none beside it, where the ASK is looked for', MALFORMED, {
      certs: [good, Buffer.from('none')],
      roots: [usualRoot('Genoa')],
    }),
    authentic('another certificate that is none beside it, where the ASK is held', {
      certs: [good, Buffer.from('none')],
    }),
    refused('an empty certificate', MALFORMED, { certs: [Buffer.alloc(0)] }),
    refused('PEM', MALFORMED, { certs: [Buffer.from(pem)] }),
    refused('a byte after it', MALFORMED, { certs: [Buffer.concat([good, Buffer.alloc(1)])] }),
    refused('a byte less', MALFORMED, { certs: [good.subarray(0, -1)] }),
    authentic(`of ${MAX_CERTIFICATE_BYTES} bytes`, sized(MAX_CERTIFICATE_BYTES)),
    refused(`of ${MAX_CERTIFICATE_BYTES + 1} bytes`, MALFORMED, sized(MAX_CERTIFICATE_BYTES + 1)),
  ]
}

function issuerVectors(): readonly Case[] {
  const none = [usualRoot('Genoa')]
  const by = (key: keyof typeof KEYS, change: Change = {}) => leafOf('Genoa', 'vcek', change, pss(KEYS[key]))
  const vlek = (change: Change, key: keyof typeof KEYS) => leafOf('Genoa', 'vlek', change, pss(KEYS[key]))
  const stranger = createPublicKey(KEYS.stranger)
  const lookAlike = pss(KEYS.stranger)
  const badSignature = Buffer.from(usualLeaf('Genoa', 'vcek'))
  badSignature.writeUInt8(
    badSignature.readUInt8(badSignature.byteLength - 1) ^ 1,
    badSignature.byteLength - 1,
  )
  return [
    refused('signed by a stranger of the same name', UNTRUSTED, { certs: [by('stranger')] }),
    refused('one bit of its signature changed', UNTRUSTED, { certs: [badSignature] }),
    refused('by an ASK of a stranger that comes with it', UNTRUSTED, {
      certs: [by('stranger'), askOf('Genoa', 'vcek', { key: stranger }, lookAlike)],
      roots: none,
    }),
    refused('under an ARK that looks like it, by a chain that comes with it', UNTRUSTED, {
      certs: [
        by('stranger'),
        askOf('Genoa', 'vcek', { key: stranger }, lookAlike),
        arkOf('Genoa', { key: stranger }, lookAlike),
      ],
      roots: none,
    }),
    refused('without its ASK', UNTRUSTED, { roots: none }),
    refused('without its ASK, with its ARK', UNTRUSTED, {
      roots: none,
      certs: [usualLeaf('Genoa', 'vcek'), arkOf('Genoa')],
    }),
    refused('signed by the ASK in the name of that of Milan', UNTRUSTED, {
      certs: [by('ask', { issuer: 'SEV-Milan' })],
    }),
    refused('signed by the ARK', UNTRUSTED, { certs: [by('ark', { issuer: 'ARK-Genoa' })] }),
    refused('signed by the ASVK', UNTRUSTED, { certs: [by('asvk', { issuer: 'SEV-VLEK-Genoa' })] }),
    refused('signed by the ASVK in the name of the ASK', UNTRUSTED, { certs: [by('asvk')] }),
    refused('signed by the ASVK, which comes with it', UNTRUSTED, {
      certs: [by('asvk', { issuer: 'SEV-VLEK-Genoa' }), askOf('Genoa', 'vlek')],
      roots: none,
    }),
    refused('signed by another VCEK', UNTRUSTED, {
      certs: [by('stranger', { issuer: 'SEV-VCEK' }), leafOf('Genoa', 'vcek', { key: stranger })],
    }),
    refused('an ASK in its place', MALFORMED, { certs: [askOf('Genoa')] }),
    refused('of a name that is neither VCEK nor VLEK', MALFORMED, leaf({ subject: 'SEV-VCEK-2' })),
    refused('a VLEK for a report by a VCEK', 'chain.kind-mismatch', { certs: [usualLeaf('Genoa', 'vlek')] }),
    refused('a VCEK for a report by a VLEK', 'chain.kind-mismatch', {
      platform: { signingKey: 'vlek' },
      key: leafKey('Genoa'),
    }),
    refused('a VLEK signed by the ASK', UNTRUSTED, {
      kind: 'vlek',
      certs: [vlek({ issuer: 'SEV-Genoa' }, 'ask')],
    }),
    refused('a VLEK signed by the ASK in the name of the ASVK', UNTRUSTED, {
      kind: 'vlek',
      certs: [vlek({}, 'ask')],
    }),
    refused('a VLEK signed by the ASK, which comes with it', UNTRUSTED, {
      kind: 'vlek',
      certs: [vlek({ issuer: 'SEV-Genoa' }, 'ask'), askOf('Genoa')],
      roots: none,
    }),
  ]
}

function schemeVectors(): readonly Case[] {
  const by = (choice: PssChoice) => ({ certs: [leafOf('Genoa', 'vcek', {}, pss(KEYS.ask, choice))] })
  return [
    refused('signed with PKCS #1 v1.5', MALFORMED, { certs: [leafOf('Genoa', 'vcek', {}, pkcs1(KEYS.ask))] }),
    refused('signed with PKCS #1 v1.5, and said to be PSS', UNTRUSTED, {
      certs: [leafOf('Genoa', 'vcek', {}, { ...pss(KEYS.ask), sign: pkcs1(KEYS.ask).sign })],
    }),
    refused('signed over SHA-256', MALFORMED, by({ hash: SHA256 })),
    refused(
      'signed over SHA-256, and said to be over SHA-384',
      UNTRUSTED,
      by({ hash: SHA256, algorithm: pss(KEYS.ask).algorithm }),
    ),
    refused('signed with MGF1 over SHA-256', MALFORMED, by({ mgfHash: SHA256 })),
    refused('signed with a salt of 32 bytes', MALFORMED, by({ salt: 32 })),
    refused(
      'signed with a salt of 32 bytes, and said to be 48',
      UNTRUSTED,
      by({ salt: 32, algorithm: pss(KEYS.ask).algorithm }),
    ),
  ]
}

function keyVectors(): readonly Case[] {
  const spki = leafKey('Genoa').publicKey.export({ format: 'der', type: 'spki' })
  const changed = (at: number, mask: number) => {
    const bytes = Buffer.from(spki)
    bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at)
    return bytes
  }
  const compressed = Buffer.concat([
    Buffer.from('3046301006072a8648ce3d020106052b81040022033200', 'hex'),
    Buffer.of(2 + (spki.readUInt8(spki.byteLength - 1) & 1)),
    spki.subarray(-96, -48),
  ])
  const modulus = Buffer.concat([Buffer.from('025b00', 'hex'), Buffer.alloc(90, 0xc5)])
  const shortRsa = sequence(
    sequence(oid('1.2.840.113549.1.1.1'), nothing()),
    bits(sequence(modulus, integer(65_537))),
  )
  return [
    refused('with the key of another chip', 'report.signature', leaf({ key: ecKey('another').publicKey })),
    refused('with an RSA key', MALFORMED, leaf({ key: createPublicKey(KEYS.stranger) })),
    refused('with an RSA key that is as long as one on P-384', MALFORMED, leaf({ key: shortRsa })),
    refused('with a key on secp256k1 by its name', MALFORMED, leaf({ key: changed(19, 0x28) })),
    refused('with its key as a compressed point', MALFORMED, leaf({ key: compressed })),
    refused('with a key whose point is not on the curve', MALFORMED, leaf({ key: changed(60, 1) })),
    refused(
      'with a key that goes on after its point',
      MALFORMED,
      leaf({ key: sequence(spki.subarray(2), nothing()) }),
    ),
  ]
}

function extensionVectors(): readonly Case[] {
  const FALSE = sequence(oid('1.2.3.4'), boolean(false), octets(nothing()))
  return [
    authentic('with an extension that nobody knows', withMore(extension('1.2.3.4', nothing()))),
    refused('with an unknown critical extension', MALFORMED, withMore(critical('1.2.3.4', nothing()))),
    refused(
      'with a critical key usage',
      MALFORMED,
      withMore(critical('2.5.29.15', Buffer.from('03020780', 'hex'))),
    ),
    refused('with basic constraints', MALFORMED, withMore(extension(CONSTRAINTS, sequence()))),
    refused('with an extension that says critical: FALSE', MALFORMED, withMore(FALSE)),
    refused(
      'with an extension twice',
      MALFORMED,
      withMore(extension('1.2.3.4', nothing()), extension('1.2.3.4', nothing())),
    ),
    ...Object.entries({ ...AMD_OID, ...SPL_OID })
      .filter(([, name]) => ROWS.some(([row]) => row === name))
      .flatMap(([field, name]) => {
        const value = ROWS.find(([row]) => row === name)?.[1] ?? nothing()
        return [
          refused(`without ${field}`, MALFORMED, withRow(name)),
          refused(`with ${field} twice`, MALFORMED, withRow(name, value, value)),
        ]
      }),
    ...['Milan', 'Milan-B0', 'Turin', 'Genoax', 'genoa', 'Venice'].map((name) =>
      refused(`of the product ${name}`, 'chain.product-mismatch', withRow(AMD_OID.productName, ia5(name))),
    ),
    authentic('of the product Genoa-B2', withRow(AMD_OID.productName, ia5('Genoa-B2'))),
    refused(
      'with the structure version of Turin',
      'chain.product-mismatch',
      withRow(AMD_OID.structVersion, integer(1)),
    ),
    refused('with a structure version of 256', MALFORMED, withRow(AMD_OID.structVersion, integer(256))),
    refused(
      'with a structure version of 255',
      'chain.product-mismatch',
      withRow(AMD_OID.structVersion, integer(255)),
    ),
    ...['', 'Genoa\n', 'x'.repeat(129)].map((name) =>
      refused(
        `with a product name of ${name.length} characters that is none`,
        MALFORMED,
        withRow(AMD_OID.productName, ia5(name)),
      ),
    ),
    refused(
      'with a product name of 128 characters',
      'chain.product-mismatch',
      withRow(AMD_OID.productName, ia5('x'.repeat(128))),
    ),
    ...levelVectors('Genoa'),
    ...integerVectors(),
  ]
}

function levelVectors(product: Product): readonly Case[] {
  const rows = leafRows(product)
  const foreign = Object.entries(SPL_OID).filter(([, name]) => rows.every(([row]) => row !== name))
  const spare = SPL_ROWS[product].filter((row) => row.startsWith('spl'))
  return [
    ...foreign.map(([field, name]) =>
      refused(
        `with ${field}, which ${product} has not`,
        MALFORMED,
        withRows(replaced(rows, name, integer(0)), product),
      ),
    ),
    ...spare.map((row) =>
      refused(`with ${row} set`, MALFORMED, withRows(replaced(rows, SPL_OID[row], integer(1)), product)),
    ),
    ...(product === 'Turin'
      ? SPL_ROWS.Turin.map((row) =>
          refused(`without ${row}`, MALFORMED, withRows(replaced(rows, SPL_OID[row]), product)),
        )
      : []),
  ]
}

/** Other encodings of one value (X.690 §10), in a patch level that is otherwise right: 27, which is 1b. */
function integerVectors(): readonly Case[] {
  const encodings = {
    'of 127 with a byte to spare': '0202007f',
    'of 256': '02020100',
    'of 283, whose last byte is right': '0202011b',
    'below zero': '0201e5',
    'with a byte to spare': '0202001b',
    'with a length of two octets': '0281011b',
    'with a length of three octets': '028200011b',
    'with a length of four octets': '02830000011b',
    'with a length of five octets': '0284000000011b',
    'of an indefinite length': '02801b0000',
    'of no bytes': '0200',
    'that is empty': '',
    'of a tag alone': '02',
    'of nine bytes': '020900ffffffffffffffff',
    'of five bytes': '0205010000001b',
    'with bytes left over': '02011b00',
    'that is cut short': '02021b',
    'as an OCTET STRING': '04011b',
    'as an ENUMERATED': '0a011b',
    'under a tag of more octets': '1f02011b',
  }
  return Object.entries(encodings).map(([name, hex]) =>
    refused(`with a patch level ${name}`, MALFORMED, withRow(SPL_OID.snp, Buffer.from(hex, 'hex'))),
  )
}

function idVectors(product: Product): readonly Case[] {
  const id = hardwareIdOf(product)
  const rows = leafRows(product)
  const wrong = [
    id.subarray(0, -1),
    Buffer.concat([id, Buffer.of(1)]),
    Buffer.concat([id, id]),
    Buffer.alloc(0),
  ]
  const withId = (value: Buffer): Choice => withRows(replaced(rows, AMD_OID.hardwareId, value), product)
  return [
    authentic('with its hardware id in an OCTET STRING', withId(octets(id))),
    ...wrong.map((value) =>
      refused(`with a hardware id of ${value.byteLength} bytes`, MALFORMED, withId(value)),
    ),
    refused(
      `with a hardware id of ${id.byteLength - 1} bytes in an OCTET STRING`,
      MALFORMED,
      withId(octets(id.subarray(0, -1))),
    ),
    refused(
      `with a hardware id of ${id.byteLength + 1} bytes in an OCTET STRING`,
      MALFORMED,
      withId(octets(Buffer.concat([id, Buffer.of(0)]))),
    ),
  ]
}

function ownerVectors(): readonly Case[] {
  const vlekRows = leafRows('Genoa', 'vlek')
  const vlek = (rows: readonly LeafRow[]): Choice => ({
    kind: 'vlek',
    certs: [leafOf('Genoa', 'vlek', { rows })],
  })
  const csp = [AMD_OID.cspId, ia5('CN=other.csp.example')] as const
  const id = [AMD_OID.hardwareId, hardwareIdOf('Genoa')] as const
  return [
    ...idVectors('Genoa'),
    refused('with a hardware id and a CSP_ID', MALFORMED, withRows([...ROWS, csp])),
    refused(
      'with a CSP_ID instead of a hardware id',
      MALFORMED,
      withRows([...replaced(ROWS, AMD_OID.hardwareId), csp]),
    ),
    authentic('a VLEK', { kind: 'vlek' }),
    refused('a VLEK with a CSP_ID and a hardware id', MALFORMED, vlek([...vlekRows, id])),
    refused(
      'a VLEK with a hardware id instead of a CSP_ID',
      MALFORMED,
      vlek([...replaced(vlekRows, AMD_OID.cspId), id]),
    ),
    refused('a VLEK with neither', MALFORMED, vlek(replaced(vlekRows, AMD_OID.cspId))),
    refused(
      'a VLEK whose CSP_ID is not printable',
      MALFORMED,
      vlek(replaced(vlekRows, AMD_OID.cspId, ia5('CN=\u0007'))),
    ),
    refused(
      'a VLEK whose CSP_ID is a UTF8String',
      MALFORMED,
      vlek(replaced(vlekRows, AMD_OID.cspId, Buffer.from('0c02434e', 'hex'))),
    ),
  ]
}

function timeVectors(): readonly Case[] {
  return [
    authentic('at its first second', { ...leaf({ notBefore: NOW }) }),
    refused('one second before its first', 'chain.expired', { ...leaf({ notBefore: NOW + 1 }) }),
    authentic('at its last second', { ...leaf({ notAfter: NOW }) }),
    refused('one second after its last', 'chain.expired', { ...leaf({ notAfter: NOW - 1 }) }),
    refused('that never counts', 'chain.expired', { ...leaf({ notBefore: LEAF_END, notAfter: BEGIN }) }),
  ]
}
