/**
 * Vectors of the ARK, and of the ASK that comes with the evidence or with the ARK. Only the ARK is trusted.
 */
import { createPublicKey } from 'node:crypto'
import { toBase64url } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { authorityExtensions, extension } from '#lab/amd/certificate.ts'
import { bits, boolean, integer, nothing, octets, oid, sequence } from '#lab/amd/der.ts'
import { authentic, refused, usualLeaf, usualRoot } from './cases.ts'
import { ecKey, pkcs1, pss } from './keys.ts'
import type { Case, RootRow } from './vector.ts'
import { arkOf, askOf, type Change, KEYS, leafOf, NOW } from './world.ts'

const UNTRUSTED = 'chain.untrusted'
const MALFORMED = 'chain.malformed'
const USAGE = '2.5.29.15'
const CONSTRAINTS = '2.5.29.19'
const STRANGER = createPublicKey(KEYS.stranger)

export function authorityVectors(): readonly Case[] {
  return [
    authentic('the ASK comes with the evidence', brought({})),
    ...askVectors(),
    ...arkVectors(),
    ...rootVectors(),
    ...timeVectors(),
  ]
}

/** The verifier has only the ARK. */
const brought = (change: Change, scheme = pss(KEYS.ark), leaf = usualLeaf('Genoa', 'vcek')) => ({
  certs: [leaf, askOf('Genoa', 'vcek', change, scheme)],
  roots: [usualRoot('Genoa')],
})

const critical = (name: string, value: Buffer) => extension(name, value, true)
const usage = (hex: string) => critical(USAGE, Buffer.from(hex, 'hex'))
const constraints = (...parts: readonly Buffer[]) => critical(CONSTRAINTS, sequence(...parts))
const CERT_SIGN = usage('03020204')
const CA = constraints(boolean(true), integer(0))

/** Faults of an ASK and an ARK, each with the value that would be correct. */
function badExtensions(sign: Buffer, ca: Buffer): Readonly<Record<string, readonly Buffer[]>> {
  const [, good = nothing()] = authorityExtensions()
  return {
    'without basic constraints': [sign],
    'without key usage': [ca],
    'whose basic constraints are not critical': [
      sign,
      extension(CONSTRAINTS, sequence(boolean(true), ...(ca === good ? [] : [integer(0)]))),
    ],
    'that is no authority': [sign, constraints()],
    'that says that it is no authority': [
      sign,
      constraints(boolean(false), ...(ca === good ? [] : [integer(0)])),
    ],
    'whose basic constraints have more': [sign, constraints(boolean(true), integer(0), integer(0))],
    'with a path length of 1': [sign, constraints(boolean(true), integer(1))],
    'whose basic constraints go on': [
      sign,
      critical(
        CONSTRAINTS,
        Buffer.concat([sequence(boolean(true), ...(ca === good ? [] : [integer(0)])), nothing()]),
      ),
    ],
    'with an unknown critical extension': [sign, ca, critical('1.2.3.4', nothing())],
    'whose key usage has two bytes': [usage('0303020480'), ca],
    'whose key usage has a length of its own': [usage('03030204'), ca],
    'whose key usage is an OCTET STRING': [usage('04020206'), ca],
    'whose key usage goes on': [usage('0302020600'), ca],
    'with a TRUE of two bytes': [
      sign,
      constraints(Buffer.from('0102ffff', 'hex'), ...(ca === good ? [] : [integer(0)])),
    ],
    'whose key usage is cut short': [usage('030202'), ca],
    'that may sign nothing': [usage('03020780'), ca],
  }
}

function askVectors(): readonly Case[] {
  const milan = { issuer: 'ARK-Milan' }
  const short = leafOf('Genoa', 'vcek', {}, pss(KEYS.short))
  const [noLimit = nothing()] = authorityExtensions().slice(1)
  return [
    ...Object.entries(badExtensions(CERT_SIGN, CA)).map(([name, extensions]) =>
      refused(`an ASK ${name}`, MALFORMED, brought({ extensions })),
    ),
    refused(
      'an ASK whose key usage is not critical',
      MALFORMED,
      brought({ extensions: [extension(USAGE, bits(Buffer.of(4), 2)), CA] }),
    ),
    refused(
      'an ASK whose key usage says critical: FALSE',
      MALFORMED,
      brought({
        extensions: [sequence(oid(USAGE), boolean(false), octets(bits(Buffer.of(4), 2))), CA],
      }),
    ),
    authentic('an ASK after an ASVK that is no authority', {
      certs: [
        usualLeaf('Genoa', 'vcek'),
        askOf('Genoa', 'vlek', { extensions: [CERT_SIGN, constraints()] }),
        askOf('Genoa'),
      ],
      roots: [usualRoot('Genoa')],
    }),
    refused('an ASK that may sign authorities', MALFORMED, brought({ extensions: [CERT_SIGN, noLimit] })),
    refused(
      'an ASK that may sign revocation lists alone',
      MALFORMED,
      brought({ extensions: [usage('03020102'), CA] }),
    ),
    authentic('an ASK that may sign revocation lists too', brought({ extensions: [usage('03020106'), CA] })),
    authentic(
      "an ASK whose key usage has AMD's one unused bit",
      brought({ extensions: [usage('03020104'), CA] }),
    ),
    refused(
      'an ASK with a key of 2048 bits',
      MALFORMED,
      brought({ key: createPublicKey(KEYS.short) }, pss(KEYS.ark), short),
    ),
    refused(
      'an ASK with a key of 4095 bits',
      MALFORMED,
      brought(
        { key: weakened(createPublicKey(KEYS.ask).export({ format: 'der', type: 'spki' })) },
        pss(KEYS.ark),
      ),
    ),
    refused(
      'an ASK with the exponent 3',
      MALFORMED,
      brought({ key: exponent(createPublicKey(KEYS.ask).export({ format: 'der', type: 'spki' })) }),
    ),
    refused('an ASK with a key on P-384', MALFORMED, brought({ key: ecKey('an ASK').publicKey })),
    refused('an ASK signed with PKCS #1 v1.5', MALFORMED, brought({}, pkcs1(KEYS.ark))),
    refused('an ASK signed by a stranger', UNTRUSTED, brought({}, pss(KEYS.stranger))),
    refused('an ASK with the key of a stranger', UNTRUSTED, brought({ key: STRANGER })),
    refused('an ASK under the ARK of Milan', UNTRUSTED, brought(milan)),
    refused('an ASK of another name', UNTRUSTED, brought({ subject: 'SEV-Genoa-2' })),
    refused('an ASK that signed itself', UNTRUSTED, brought({ issuer: 'SEV-Genoa' }, pss(KEYS.ask))),
    refused('an ASK under an ASK', UNTRUSTED, {
      certs: [
        usualLeaf('Genoa', 'vcek'),
        askOf('Genoa', 'vcek', { issuer: 'SEV-Genoa' }, pss(KEYS.stranger)),
        askOf('Genoa', 'vcek', { key: STRANGER }),
      ],
      roots: [usualRoot('Genoa')],
    }),
    authentic('an ASK after one of the same name that is not signed by the ARK', {
      certs: [usualLeaf('Genoa', 'vcek'), askOf('Genoa', 'vcek', {}, pss(KEYS.stranger)), askOf('Genoa')],
      roots: [usualRoot('Genoa')],
    }),
    authentic('an ASK after one of the same name that did not sign the leaf', {
      certs: [usualLeaf('Genoa', 'vcek'), askOf('Genoa', 'vcek', { key: STRANGER }), askOf('Genoa')],
      roots: [usualRoot('Genoa')],
    }),
    authentic('another ASK than the one that the verifier holds', {
      certs: [leafOf('Genoa', 'vcek', {}, pss(KEYS.stranger)), askOf('Genoa', 'vcek', { key: STRANGER })],
    }),
  ]
}

/** An RSA key whose modulus has a first bit of zero. */
function weakened(spki: Buffer): Buffer {
  const changed = Buffer.from(spki)
  changed.writeUInt8(changed.readUInt8(33) & 0x7f, 33)
  return changed
}

function exponent(spki: Buffer): Buffer {
  const changed = Buffer.from(spki)
  changed.writeUInt8(3, changed.byteLength - 1)
  return changed
}

const rootRow = (ark: Buffer, more: Partial<RootRow> = {}): RootRow => ({
  product: 'Genoa',
  ark: toBase64url(ark),
  ...more,
})

function arkVectors(): readonly Case[] {
  const [sign = nothing(), ca = nothing()] = authorityExtensions()
  const certs = [usualLeaf('Genoa', 'vcek'), askOf('Genoa')]
  const root = (change: Change, scheme = pss(KEYS.ark)) => ({
    certs,
    roots: [rootRow(arkOf('Genoa', change, scheme))],
  })
  const ark = arkOf('Genoa')
  return [
    ...Object.entries(badExtensions(sign, ca)).map(([name, extensions]) =>
      refused(`an ARK ${name}`, MALFORMED, root({ extensions })),
    ),
    refused('an ARK with a path length of 0', MALFORMED, root({ extensions: [sign, CA] })),
    refused('an ARK that may not sign revocation lists', MALFORMED, root({ extensions: [CERT_SIGN, ca] })),
    refused(
      'an ARK that may not sign certificates',
      MALFORMED,
      root({ extensions: [usage('03020102'), ca] }),
    ),
    refused('an ARK that another key has signed', UNTRUSTED, root({}, pss(KEYS.stranger))),
    refused('an ARK in the name of another issuer', UNTRUSTED, root({ issuer: 'ARK-Milan' })),
    refused(
      'an ARK of another key, which has signed itself',
      UNTRUSTED,
      root({ key: STRANGER }, pss(KEYS.stranger)),
    ),
    refused('an ARK with a key of 2048 bits', MALFORMED, {
      certs: [certs[0] ?? ark, askOf('Genoa', 'vcek', {}, pss(KEYS.short))],
      roots: [rootRow(arkOf('Genoa', { key: createPublicKey(KEYS.short) }, pss(KEYS.short)))],
    }),
    refused('an ARK that is called an ASK', UNTRUSTED, root({ issuer: 'SEV-Genoa', subject: 'SEV-Genoa' })),
    refused('an ARK of Milan as that of Genoa', UNTRUSTED, {
      certs: [certs[0] ?? ark, askOf('Genoa', 'vcek', { issuer: 'ARK-Milan' })],
      roots: [rootRow(arkOf('Milan'))],
    }),
    refused('an ARK that is no certificate', MALFORMED, { certs, roots: [rootRow(Buffer.from('none'))] }),
    refused('the ASK as ARK', UNTRUSTED, { certs, roots: [rootRow(askOf('Genoa'))] }),
    refused('the ARK twice in one row', UNTRUSTED, {
      certs,
      roots: [rootRow(ark, { ask: toBase64url(ark) })],
    }),
  ]
}

/**
 * An ASK or ASVK that comes with the ARK is verified when the verifier starts, even if no report needs it.
 */
function rootVectors(): readonly Case[] {
  const certs = [usualLeaf('Genoa', 'vcek'), askOf('Genoa')]
  const ark = arkOf('Genoa')
  const held = (ask: Buffer) => ({ certs, roots: [rootRow(ark, { ask: toBase64url(ask) })] })
  const amd = AMD_ROOTS.find(({ product }) => product === 'Genoa')
  const pinned = Buffer.from(amd?.ark ?? [])
  return [
    refused(
      'an ASK beside the ARK that the ARK has not signed',
      UNTRUSTED,
      held(askOf('Genoa', 'vcek', {}, pss(KEYS.stranger))),
    ),
    refused(
      'an ASK beside the ARK of another product',
      UNTRUSTED,
      held(askOf('Milan', 'vcek', { issuer: 'ARK-Genoa' })),
    ),
    refused('an ASK beside the ARK that is a leaf', UNTRUSTED, held(usualLeaf('Genoa', 'vcek'))),
    refused(
      'an ASK beside the ARK that is no authority',
      MALFORMED,
      held(askOf('Genoa', 'vcek', { extensions: [CERT_SIGN, constraints()] })),
    ),
    refused('an ASK beside the ARK that is no certificate', MALFORMED, held(Buffer.alloc(0))),
    refused('an ASVK beside the ARK that the ARK has not signed', UNTRUSTED, {
      certs,
      roots: [rootRow(ark, { asvk: toBase64url(askOf('Genoa', 'vlek', {}, pss(KEYS.stranger))) })],
    }),
    authentic('several roots, of which the second is of the product', {
      roots: [usualRoot('Milan'), usualRoot('Genoa', 'vcek')],
    }),
    refused('no root at all', UNTRUSTED, { roots: [] }),
    refused('the root of another product alone', UNTRUSTED, { roots: [usualRoot('Milan')] }),
    refused("AMD's own root, which has signed nothing here", UNTRUSTED, {
      certs: [...certs, ark],
      roots: [rootRow(pinned)],
    }),
    refused("AMD's own root under the name of another product", UNTRUSTED, {
      certs,
      roots: [{ product: 'Turin', ark: toBase64url(pinned) }, usualRoot('Genoa', 'vcek')],
    }),
  ]
}

function timeVectors(): readonly Case[] {
  const ark = (change: Change) => ({
    certs: [usualLeaf('Genoa', 'vcek'), askOf('Genoa')],
    roots: [rootRow(arkOf('Genoa', change))],
  })
  return [['ASK', brought] as const, ['ARK', ark] as const].flatMap(([name, make]) => [
    authentic(`an ${name} at its first second`, make({ notBefore: NOW })),
    refused(`an ${name} one second before its first`, 'chain.expired', make({ notBefore: NOW + 1 })),
    authentic(`an ${name} at its last second`, make({ notAfter: NOW })),
    refused(`an ${name} one second after its last`, 'chain.expired', make({ notAfter: NOW - 1 })),
  ])
}

/** A case without roots uses AMD's pinned roots, where no chain of these vectors ends. */
export function amdVectors(): readonly Case[] {
  const bare = (row: Case): Case => {
    const { roots: _roots, ...rest } = row
    return rest
  }
  return [
    bare(
      refused("a chain like AMD's", UNTRUSTED, {
        certs: [usualLeaf('Genoa', 'vcek'), askOf('Genoa'), arkOf('Genoa')],
      }),
    ),
    bare(
      refused("a chain like AMD's of Turin", UNTRUSTED, {
        product: 'Turin',
        certs: [usualLeaf('Turin', 'vcek'), askOf('Turin'), arkOf('Turin')],
      }),
    ),
    bare(
      refused("a chain like AMD's of Milan, of a VLEK", UNTRUSTED, {
        product: 'Milan',
        kind: 'vlek',
        certs: [usualLeaf('Milan', 'vlek'), askOf('Milan', 'vlek'), arkOf('Milan')],
      }),
    ),
  ]
}
