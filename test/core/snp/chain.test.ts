import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { AMD_OID, SPL_OID } from '#core/snp/extensions.ts'
import type { SigningKey } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { addSeconds, toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import {
  amdScheme,
  authorityExtensions,
  type CertificateRequest,
  extension,
  issueCertificate,
  type SignatureScheme,
} from '#lab/amd/certificate.ts'
import { bits, boolean, explicit, ia5, integer, nothing, octets, oid, sequence } from '#lab/amd/der.ts'
import { deriveVcek, vcekRequest } from '#lab/amd/vcek.ts'
import { mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const { arkKey, askKey, arkDer, askDer, hardwareId, notBefore } = amd
const at = noon(amd)
const { tcb } = platformOf(amd)
const leafKey = deriveVcek(Buffer.alloc(48, 1), 'Genoa', hardwareId, tcb.reported)
const good = vcekRequest(leafKey, { product: 'Genoa', hardwareId, tcb: tcb.reported, notBefore })
const YEARS = 25 * 31_557_600

function leaf(change: Partial<CertificateRequest> = {}, scheme: SignatureScheme = amdScheme(askKey)): Buffer {
  return issueCertificate({ ...good, ...change }, scheme)
}

/** The good leaf's extensions, with those of one OID replaced by any number of others. */
function withExtension(name: string, ...values: readonly Uint8Array[]): Partial<CertificateRequest> {
  const prefix = oid(name)
  const others = good.extensions.filter((row) => row.indexOf(prefix) === -1)
  return { extensions: [...others, ...values.map((value) => extension(name, value))] }
}

function authority(
  key: KeyObject,
  change: Partial<CertificateRequest> = {},
  scheme: SignatureScheme = amdScheme(arkKey),
): Buffer {
  const request: CertificateRequest = {
    serial: 7,
    issuer: 'ARK-Genoa',
    subject: 'SEV-Genoa',
    notBefore,
    notAfter: notBefore + YEARS,
    publicKey: createPublicKey(key),
    extensions: authorityExtensions(0),
    ...change,
  }
  return issueCertificate(request, scheme)
}

const store = storeOf(amd)
/** A store with only the ARK: the ASK must come with the evidence. */
const arkOnly = new TrustStore([{ product: 'Genoa', ark: arkDer, simulated: true }])
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

test('a VCEK is endorsed with the ASK of the store', () => {
  const endorsement = store.endorse([leaf()], 'vcek', at)
  assert.equal(endorsement.product, 'Genoa')
  assert.equal(endorsement.kind, 'vcek')
  assert.equal(endorsement.simulated, true)
  assert.deepEqual(endorsement.tcb, tcb.reported)
  assert.equal(toHex(endorsement.hardwareId ?? Buffer.alloc(0)), hardwareId)
  assert.equal(endorsement.cspId, undefined)
  const message = Buffer.from('signed by the leaf')
  const byLeaf = sign('sha384', message, leafKey)
  assert.equal(endorsement.publicKey.verifies(byLeaf, message), true)
  assert.equal(endorsement.publicKey.verifies(byLeaf, Buffer.from('another')), false)
})

test('a VCEK is endorsed with an ASK from the evidence, whatever else is there', () => {
  for (const certs of [
    [leaf(), askDer],
    [leaf(), arkDer, askDer],
  ])
    assert.equal(arkOnly.endorse(certs, 'vcek', at).product, 'Genoa')
})

test('security patch levels from 128 on take two bytes', () => {
  const high = { ...tcb.reported, microcode: 0xdb, snp: 0x80 }
  const request = vcekRequest(leafKey, { product: 'Genoa', hardwareId, tcb: high, notBefore })
  const der = issueCertificate(request, amdScheme(askKey))
  assert.deepEqual(store.endorse([der], 'vcek', at).tcb, high)
})

test('a hardware id may be inside an OCTET STRING', () => {
  const der = leaf(withExtension(AMD_OID.hardwareId, octets(fromHex(hardwareId))))
  assert.equal(toHex(store.endorse([der], 'vcek', at).hardwareId ?? Buffer.alloc(0)), hardwareId)
})

test('the default trailer field of PSS may be explicit', () => {
  const algorithm = pssAlgorithm({ trailer: 1 })
  assert.equal(store.endorse([leaf({}, { ...amdScheme(askKey), algorithm })], 'vcek', at).product, 'Genoa')
})

test('a VLEK is endorsed by the ASVK', () => {
  const asvk = authority(askKey, { subject: 'SEV-VLEK-Genoa' })
  const { cspId, hardwareId } = arkOnly.endorse([vlek({ issuer: 'SEV-VLEK-Genoa' }), asvk], 'vlek', at)
  assert.equal(cspId, 'CN=csp.example')
  assert.equal(hardwareId, undefined)
})

function vlek(change: Partial<CertificateRequest>): Buffer {
  const { extensions } = withExtension(AMD_OID.hardwareId)
  const csp = extension(AMD_OID.cspId, ia5('CN=csp.example'))
  return leaf({ subject: 'SEV-VLEK', extensions: [...(extensions ?? []), csp], ...change })
}

/** Signs with PSS over `hash` and states `algorithm`. */
function pssScheme(hash: string, saltLength: number, algorithm: Buffer): SignatureScheme {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return { algorithm, sign: (tbs) => sign(hash, tbs, { key: askKey, padding, saltLength }) }
}

const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
function pssAlgorithm(options: { hash?: string; mgf?: string; salt?: number; trailer?: number }): Buffer {
  const { hash = SHA384, mgf = SHA384, salt = 48, trailer } = options
  const hashOf = (name: string) => sequence(oid(name), nothing())
  return sequence(
    oid('1.2.840.113549.1.1.10'),
    sequence(
      explicit(0, hashOf(hash)),
      explicit(1, sequence(oid('1.2.840.113549.1.1.8'), hashOf(mgf))),
      explicit(2, integer(salt)),
      ...(trailer === undefined ? [] : [explicit(3, integer(trailer))]),
    ),
  )
}

function pkcs1Scheme(key: KeyObject): SignatureScheme {
  const algorithm = sequence(oid('1.2.840.113549.1.1.12'), nothing())
  return { algorithm, sign: (tbs) => sign('sha384', tbs, key) }
}

const critical = (name: string, value: Uint8Array) => extension(name, value, true)
const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
const CERT_SIGN = critical(KEY_USAGE, bits(Buffer.of(0x04), 2))
const NOT_CA = critical(BASIC_CONSTRAINTS, sequence())
const CA = critical(BASIC_CONSTRAINTS, sequence(boolean(true), integer(0)))

type Refused = {
  readonly name: string
  readonly certs: readonly Buffer[]
  readonly code: string
  readonly kind?: SigningKey
  readonly roots?: TrustStore
  readonly at?: UnixSeconds
}

const refused: readonly Refused[] = [
  // The list
  { name: 'no certificate', certs: [], code: 'chain.missing' },
  { name: 'four certificates', certs: [leaf(), askDer, arkDer, arkDer], code: 'chain.malformed' },
  { name: 'text instead of DER', certs: [Buffer.from('not a certificate')], code: 'chain.malformed' },
  { name: 'an empty certificate', certs: [Buffer.alloc(0)], code: 'chain.malformed' },
  {
    name: 'PEM',
    certs: [
      Buffer.from(`-----BEGIN CERTIFICATE-----\n${leaf().toString('base64')}\n-----END CERTIFICATE-----\n`),
    ],
    code: 'chain.malformed',
  },
  {
    name: 'a byte after the certificate',
    certs: [Buffer.concat([leaf(), Buffer.alloc(1)])],
    code: 'chain.malformed',
  },
  {
    name: 'a certificate of more than 4096 bytes',
    certs: [leaf({ extensions: [...good.extensions, extension('1.2.3.4', Buffer.alloc(3000))] })],
    code: 'chain.malformed',
  },
  // Names and signatures
  { name: 'an ASK as the first certificate', certs: [askDer], code: 'chain.malformed' },
  { name: 'another leaf', certs: [leaf({ subject: 'SEV-VCEK-2' })], code: 'chain.malformed' },
  { name: 'a VCEK instead of a VLEK', certs: [leaf()], kind: 'vlek', code: 'chain.kind-mismatch' },
  { name: 'a VLEK instead of a VCEK', certs: [vlek({})], code: 'chain.kind-mismatch' },
  {
    name: 'a leaf by a stranger of the same name',
    certs: [leaf({}, amdScheme(other))],
    code: 'chain.untrusted',
  },
  {
    name: 'a leaf and an ASK by strangers of the same names',
    certs: [leaf({}, amdScheme(other)), authority(other, {}, amdScheme(other))],
    code: 'chain.untrusted',
  },
  {
    name: 'a whole chain by a stranger, its ARK included',
    certs: [
      leaf({}, amdScheme(other)),
      authority(other, {}, amdScheme(other)),
      authority(other, { subject: 'ARK-Genoa', extensions: authorityExtensions() }, amdScheme(other)),
    ],
    code: 'chain.untrusted',
  },
  { name: 'no ASK', certs: [leaf()], roots: arkOnly, code: 'chain.untrusted' },
  { name: 'a leaf of another product', certs: [leaf({ issuer: 'SEV-Milan' })], code: 'chain.untrusted' },
  {
    name: 'a leaf signed by the ARK',
    certs: [leaf({ issuer: 'ARK-Genoa' }, amdScheme(arkKey))],
    code: 'chain.untrusted',
  },
  {
    name: 'a VLEK under the ASK',
    certs: [vlek({ issuer: 'SEV-Genoa' })],
    kind: 'vlek',
    code: 'chain.untrusted',
  },
  {
    name: 'a VCEK under an ASVK',
    certs: [leaf({ issuer: 'SEV-VLEK-Genoa' }), authority(askKey, { subject: 'SEV-VLEK-Genoa' })],
    roots: arkOnly,
    code: 'chain.untrusted',
  },
  {
    name: 'a leaf under a leaf',
    certs: [leaf({ issuer: 'SEV-VCEK' }), leaf({ publicKey: createPublicKey(askKey) })],
    code: 'chain.untrusted',
  },
  // Signature algorithms
  { name: 'PKCS #1 v1.5', certs: [leaf({}, pkcs1Scheme(askKey))], code: 'chain.malformed' },
  {
    name: 'PSS over SHA-256',
    certs: [leaf({}, pssScheme('sha256', 48, pssAlgorithm({ hash: SHA256, mgf: SHA256 })))],
    code: 'chain.malformed',
  },
  {
    name: 'a salt of 32 bytes',
    certs: [leaf({}, pssScheme('sha384', 32, pssAlgorithm({ salt: 32 })))],
    code: 'chain.malformed',
  },
  // The leaf
  {
    name: 'a leaf on P-256',
    certs: [leaf({ publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey })],
    code: 'chain.malformed',
  },
  {
    name: 'a leaf with an RSA key',
    certs: [leaf({ publicKey: createPublicKey(other) })],
    code: 'chain.malformed',
  },
  {
    name: 'a leaf with basic constraints',
    certs: [leaf({ extensions: [...good.extensions, extension(BASIC_CONSTRAINTS, sequence())] })],
    code: 'chain.malformed',
  },
  {
    name: 'a leaf with an unknown critical extension',
    certs: [leaf({ extensions: [...good.extensions, critical('1.2.3.4', nothing())] })],
    code: 'chain.malformed',
  },
  {
    name: 'an extension with an explicit critical: FALSE',
    certs: [
      leaf({ extensions: [...good.extensions, sequence(oid('1.2.3.4'), boolean(false), octets(nothing()))] }),
    ],
    code: 'chain.malformed',
  },
  {
    name: 'an AMD extension twice',
    certs: [leaf(withExtension(SPL_OID.snp, integer(27), integer(27)))],
    code: 'chain.malformed',
  },
  // AMD's extensions
  ...(['bootloader', 'tee', 'snp', 'spl4', 'spl5', 'spl6', 'spl7', 'microcode'] as const).map((row) => ({
    name: `no ${row}`,
    certs: [leaf(withExtension(SPL_OID[row]))],
    code: 'chain.malformed',
  })),
  { name: 'an FMC on Genoa', certs: [leaf(withExtension(SPL_OID.fmc, integer(0)))], code: 'chain.malformed' },
  {
    name: 'a reserved level that is not zero',
    certs: [leaf(withExtension(SPL_OID.spl5, integer(1)))],
    code: 'chain.malformed',
  },
  ...[
    { what: 'of 256', value: integer(256) },
    { what: 'below zero', value: Buffer.from('0201ff', 'hex') },
    { what: 'with a byte to spare', value: Buffer.from('0202001b', 'hex') },
    { what: 'with a long length', value: Buffer.from('0281011b', 'hex') },
    { what: 'of no bytes', value: Buffer.from('0200', 'hex') },
    { what: 'of nine bytes', value: Buffer.from('020900ffffffffffffffff', 'hex') },
    { what: 'with bytes left over', value: Buffer.from('02011b00', 'hex') },
    { what: 'cut short', value: Buffer.from('0202', 'hex') },
    { what: 'as an OCTET STRING', value: Buffer.from('04011b', 'hex') },
  ].map(({ what, value }) => ({
    name: `a level ${what}`,
    certs: [leaf(withExtension(SPL_OID.snp, value))],
    code: 'chain.malformed',
  })),
  { name: 'no hardware id', certs: [leaf(withExtension(AMD_OID.hardwareId))], code: 'chain.malformed' },
  ...[0, 8, 63, 65].map((size) => ({
    name: `a hardware id of ${size} bytes`,
    certs: [leaf(withExtension(AMD_OID.hardwareId, Buffer.alloc(size, 1)))],
    code: 'chain.malformed',
  })),
  {
    name: 'a wrapped hardware id of 63 bytes',
    certs: [leaf(withExtension(AMD_OID.hardwareId, octets(Buffer.alloc(63, 1))))],
    code: 'chain.malformed',
  },
  {
    name: 'a VCEK with a CSP_ID',
    certs: [leaf(withExtension(AMD_OID.cspId, ia5('CN=csp.example')))],
    code: 'chain.malformed',
  },
  {
    name: 'a VLEK with a hardware id',
    certs: [
      vlek({ issuer: 'SEV-VLEK-Genoa', extensions: good.extensions }),
      authority(askKey, { subject: 'SEV-VLEK-Genoa' }),
    ],
    kind: 'vlek',
    roots: arkOnly,
    code: 'chain.malformed',
  },
  { name: 'no product name', certs: [leaf(withExtension(AMD_OID.productName))], code: 'chain.malformed' },
  ...['Milan-B0', 'Genoax', 'Turin', 'genoa'].map((name) => ({
    name: `the product name ${name}`,
    certs: [leaf(withExtension(AMD_OID.productName, ia5(name)))],
    code: 'chain.product-mismatch',
  })),
  {
    name: 'the structure version of Turin',
    certs: [leaf(withExtension(AMD_OID.structVersion, integer(1)))],
    code: 'chain.product-mismatch',
  },
  {
    name: 'no structure version',
    certs: [leaf(withExtension(AMD_OID.structVersion))],
    code: 'chain.malformed',
  },
  // Time
  { name: 'a leaf that is not yet valid', certs: [leaf({ notBefore: at + 1 })], code: 'chain.expired' },
  { name: 'an expired leaf', certs: [leaf({ notAfter: at - 1 })], code: 'chain.expired' },
  {
    name: 'an expired ASK',
    certs: [leaf(), authority(askKey, { notAfter: at - 1 })],
    roots: arkOnly,
    code: 'chain.expired',
  },
  {
    name: 'the time before the ARK',
    certs: [leaf()],
    at: toUnixSeconds(notBefore - 1),
    code: 'chain.expired',
  },
  // The ASK
  {
    name: 'an ASK that is not a CA',
    certs: [leaf(), authority(askKey, { extensions: [CERT_SIGN, NOT_CA] })],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK that may sign CAs',
    certs: [leaf(), authority(askKey, { extensions: authorityExtensions() })],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK without key usage',
    certs: [leaf(), authority(askKey, { extensions: [CA] })],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK that may not sign certificates',
    certs: [leaf(), authority(askKey, { extensions: [critical(KEY_USAGE, bits(Buffer.of(0x80), 7)), CA] })],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK whose constraints are not critical',
    certs: [
      leaf(),
      authority(askKey, {
        extensions: [CERT_SIGN, extension(BASIC_CONSTRAINTS, sequence(boolean(true), integer(0)))],
      }),
    ],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK with an unknown critical extension',
    certs: [
      leaf(),
      authority(askKey, { extensions: [...authorityExtensions(0), critical('1.2.3.4', nothing())] }),
    ],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK of 2048 bits',
    certs: [leaf({}, amdScheme(other)), authority(other)],
    roots: arkOnly,
    code: 'chain.malformed',
  },
  {
    name: 'an ASK signed with PKCS #1 v1.5',
    certs: [leaf(), authority(askKey, {}, pkcs1Scheme(arkKey))],
    roots: arkOnly,
    code: 'chain.malformed',
  },
]
for (const { name, certs, code, kind = 'vcek', roots = store, at: time = at } of refused)
  test(`refuses ${name}`, () => {
    assert.throws(() => roots.endorse(certs, kind, time), { name: 'CodedError', code })
  })

const rootOf = (change: Partial<CertificateRequest>, scheme: SignatureScheme, key = arkKey) =>
  authority(key, { subject: 'ARK-Genoa', extensions: authorityExtensions(), ...change }, scheme)

const badRoots: readonly { readonly name: string; readonly entry: RootEntry; readonly code: string }[] = [
  {
    name: 'a foreign ARK that is not marked as simulated',
    entry: { product: 'Genoa', ark: arkDer, simulated: false },
    code: 'chain.untrusted',
  },
  {
    name: 'an ARK under the name of another product',
    entry: { product: 'Turin', ark: arkDer, simulated: true },
    code: 'chain.untrusted',
  },
  {
    name: 'an ARK that another key signed',
    entry: { product: 'Genoa', ark: rootOf({}, amdScheme(other)), simulated: true },
    code: 'chain.untrusted',
  },
  {
    name: 'an ARK of 2048 bits',
    entry: { product: 'Genoa', ark: rootOf({}, amdScheme(other), other), simulated: true },
    code: 'chain.malformed',
  },
  {
    name: 'an ARK that is not a CA',
    entry: {
      product: 'Genoa',
      ark: rootOf({ extensions: [CERT_SIGN, NOT_CA] }, amdScheme(arkKey)),
      simulated: true,
    },
    code: 'chain.malformed',
  },
  {
    name: 'an ASK as ARK',
    entry: { product: 'Genoa', ark: askDer, simulated: true },
    code: 'chain.untrusted',
  },
  {
    name: 'an ASK of another ARK',
    entry: { product: 'Genoa', ark: arkDer, ask: authority(askKey, {}, amdScheme(other)), simulated: true },
    code: 'chain.untrusted',
  },
  {
    name: 'a leaf as ASK',
    entry: { product: 'Genoa', ark: arkDer, ask: leaf(), simulated: true },
    code: 'chain.untrusted',
  },
]
for (const { name, entry, code } of badRoots)
  test(`refuses the root: ${name}`, () => {
    assert.throws(() => new TrustStore([entry]), { name: 'CodedError', code })
  })

test('the time is checked again for a remembered chain', () => {
  const roots = storeOf(amd)
  const certs = [leaf({ notAfter: at + 100 })]
  roots.endorse(certs, 'vcek', at)
  const again = roots.endorse(certs, 'vcek', at)
  assert.equal(roots.endorse(certs, 'vcek', addSeconds(at, 100)), again)
  assert.throws(() => roots.endorse(certs, 'vcek', addSeconds(at, 101)), { code: 'chain.expired' })
  assert.throws(() => roots.endorse(certs, 'vlek', at), { code: 'chain.kind-mismatch' })
})

test('a store remembers the most recently used chains, up to its limit', () => {
  const roots = storeOf(amd, { remember: 2 })
  const [a, b, c] = [[leaf()], [leaf()], [leaf()]]
  const first = roots.endorse(a, 'vcek', at)
  roots.endorse(b, 'vcek', at)
  const again = roots.endorse(a, 'vcek', at)
  assert.notEqual(again, first)
  roots.endorse(c, 'vcek', at)
  assert.equal(roots.endorse(a, 'vcek', at), again)
  const none = storeOf(amd, { remember: 0 })
  assert.notEqual(none.endorse(a, 'vcek', at), none.endorse(a, 'vcek', at))
})

test('a key is imported when its chain is used a second time', () => {
  const roots = storeOf(amd)
  const isImported = () => {
    const { publicKey } = roots.endorse([vcek], 'vcek', at)
    return publicKey.imported() === publicKey
  }
  const vcek = leaf()
  assert.deepEqual([isImported(), isImported(), isImported()], [false, true, true])
})

test('a point that is not on the curve is refused, at the first use and at the second', () => {
  const { bytes } = mint(amd)
  const der = leaf({ publicKey: offCurve() })
  const verify = () => verifyReport(parseReport(bytes), [der], { roots: store, crls: [], at })
  for (const _ of [1, 2]) assert.throws(verify, { name: 'CodedError', code: 'chain.malformed' })
})

/** The form of a P-384 key whose number is not a point. Only its export is used. */
function offCurve(): KeyObject {
  const spki = createPublicKey(leafKey).export({ format: 'der', type: 'spki' })
  spki.writeUInt8(spki.readUInt8(spki.byteLength - 1) ^ 1, spki.byteLength - 1)
  const key = createPublicKey(leafKey)
  return Object.assign(Object.create(key), { export: () => spki })
}

test('hostile certificates give an endorsement or a coded error', () => {
  const good = leaf()
  const change = fc.tuple(fc.nat(good.byteLength - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(20), (changes, cut) => {
      const bytes = Buffer.from(good.subarray(0, good.byteLength - (cut < 17 ? 0 : cut)))
      for (const [index, value] of changes) bytes[Math.min(index, bytes.byteLength - 1)] = value
      try {
        store.endorse([bytes], 'vcek', at)
        assert.deepEqual(bytes, good)
      } catch (error) {
        assert.ok(error instanceof CodedError)
      }
    }),
    { numRuns: 500 },
  )
})

test('signed but malformed extensions give at most a coded error', () => {
  const names = [...Object.values(SPL_OID), ...Object.values(AMD_OID)]
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 12 }), (name, value) => {
      try {
        store.endorse([leaf(withExtension(name, value))], 'vcek', at)
      } catch (error) {
        assert.notEqual(codeOf(error), 'internal.fault')
      }
    }),
    { numRuns: 100 },
  )
})
