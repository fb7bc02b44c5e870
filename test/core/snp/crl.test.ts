/** Revocation lists: a good one is read, everything else is refused. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { addSeconds, parseRfc3339, toRfc3339 } from '#core/time.ts'
import { amdScheme, extension, nameOf } from '#lab/amd/certificate.ts'
import { bits, boolean, explicit, integer, nothing, octets, oid, sequence, time } from '#lab/amd/der.ts'
import { mint, noon, storeOf, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const store = storeOf(amd)
const at = noon(amd)
const ASK = 0x20001
const NUMBER = extension('2.5.29.20', integer(10))

type Parts = {
  readonly version?: readonly Buffer[]
  readonly issuer?: string
  readonly times?: readonly Buffer[]
  readonly entries?: readonly Buffer[] | undefined
  readonly extensions?: readonly Buffer[]
  readonly after?: readonly Buffer[]
  readonly key?: KeyObject
}

function crl(parts: Parts = {}): Buffer {
  const { version = [integer(1)], issuer = 'ARK-Genoa', key = amd.arkKey, entries, after = [] } = parts
  const { times = [time(at - 10), time(at + 10)], extensions = [NUMBER] } = parts
  const scheme = amdScheme(key)
  const tbs = sequence(
    ...version,
    scheme.algorithm,
    nameOf(issuer),
    ...times,
    ...(entries === undefined ? [] : [sequence(...entries)]),
    ...(extensions.length === 0 ? [] : [explicit(0, sequence(...extensions))]),
    ...after,
  )
  return sequence(tbs, scheme.algorithm, bits(scheme.sign(tbs)))
}

const entry = (serial: number, ...more: readonly Buffer[]) => sequence(integer(serial), time(at), ...more)
const open = (der: Buffer): Crl => openCrl(der, store.roots)

test('a list gives its root, its times and the revoked serial numbers', () => {
  const { digest, root, ...read } = open(crl({ entries: [entry(ASK), entry(0x80)] }))
  assert.deepEqual(read, {
    product: 'Genoa',
    thisUpdate: at - 10,
    nextUpdate: at + 10,
    number: '0a',
    revoked: new Set(['020001', '80']),
  })
  assert.equal(root, store.roots[0]?.fingerprint)
  assert.match(digest, /^[0-9a-f]{64}$/)
})

test('a list may be empty, and its entries may state a reason', () => {
  assert.equal(open(crl()).revoked.size, 0)
  const reason = sequence(extension('2.5.29.21', Buffer.from('0a0101', 'hex')))
  assert.equal(open(crl({ entries: [entry(ASK, reason)] })).revoked.size, 1)
})

const stranger = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey
const good = crl()
const refused: readonly (readonly [name: string, der: Buffer, code: string])[] = [
  ['no bytes', Buffer.alloc(0), 'crl.malformed'],
  ['a byte after it', Buffer.concat([good, Buffer.alloc(1)]), 'crl.malformed'],
  ['a missing byte', good.subarray(0, -1), 'crl.malformed'],
  ['more than a MiB', Buffer.concat([good, Buffer.alloc(1024 * 1024)]), 'crl.malformed'],
  ['a certificate', amd.askDer, 'crl.malformed'],
  ['a list by a stranger under the name of an ARK', crl({ key: stranger }), 'crl.untrusted'],
  ['a list by an ASK', crl({ issuer: 'SEV-Genoa', key: amd.askKey }), 'crl.untrusted'],
  ['a list by an ASK under the name of an ARK', crl({ key: amd.askKey }), 'crl.untrusted'],
  ['a list of another product', crl({ issuer: 'ARK-Milan' }), 'crl.untrusted'],
  ['version 1', crl({ version: [] }), 'crl.malformed'],
  ['version 3', crl({ version: [integer(2)] }), 'crl.malformed'],
  ['an explicit version 1', crl({ version: [integer(0)] }), 'crl.malformed'],
  ['no next update', crl({ times: [time(at)] }), 'crl.malformed'],
  ['a nextUpdate that is not after thisUpdate', crl({ times: [time(at), time(at)] }), 'crl.malformed'],
  ['an empty list of entries', crl({ entries: [] }), 'crl.malformed'],
  ['an entry without a date', crl({ entries: [sequence(integer(1))] }), 'crl.malformed'],
  ['an entry with an invalid date', crl({ entries: [sequence(integer(1), nothing())] }), 'crl.malformed'],
  ['an entry of four parts', crl({ entries: [entry(1, sequence(), sequence())] }), 'crl.malformed'],
  [
    'an entry with a critical extension',
    crl({ entries: [entry(1, sequence(extension('2.5.29.29', nothing(), true)))] }),
    'crl.malformed',
  ],
  [
    'a negative serial number',
    crl({ entries: [sequence(Buffer.from('0201ff', 'hex'), time(at))] }),
    'crl.malformed',
  ],
  ['no extensions', crl({ extensions: [] }), 'crl.malformed'],
  ['no number', crl({ extensions: [extension('1.2.3', nothing())] }), 'crl.malformed'],
  ['two numbers', crl({ extensions: [NUMBER, NUMBER] }), 'crl.malformed'],
  ['an invalid number', crl({ extensions: [extension('2.5.29.20', nothing())] }), 'crl.malformed'],
  [
    'a critical extension',
    crl({ extensions: [NUMBER, extension('1.2.3', nothing(), true)] }),
    'crl.malformed',
  ],
  [
    'an extension with an explicit critical: FALSE',
    crl({ extensions: [NUMBER, sequence(oid('1.2.3'), boolean(false), octets(nothing()))] }),
    'crl.malformed',
  ],
  ['a delta list', crl({ extensions: [NUMBER, extension('2.5.29.27', integer(9))] }), 'crl.malformed'],
  [
    'a list of limited scope',
    crl({ extensions: [NUMBER, extension('2.5.29.28', sequence())] }),
    'crl.malformed',
  ],
  ['a part after the extensions', crl({ after: [nothing()] }), 'crl.malformed'],
]
for (const [name, der, code] of refused)
  test(`refuses ${name}`, () => {
    assert.throws(() => open(der), { name: 'CodedError', code })
  })

test('a list with any changed byte is refused', () => {
  const der = crl({ entries: [entry(ASK)] })
  for (let index = 0; index < der.byteLength; index += 7) {
    const changed = Buffer.from(der)
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
    assert.throws(() => open(changed), CodedError)
  }
})

const { bytes, certs } = mint(amd)
const verify = (...crls: readonly Crl[]) =>
  verifyReport(parseReport(bytes), certs, { roots: store, crls, at }).crl

test('a report under a revoked ASK is refused, however old the list', () => {
  const old = open(crl({ entries: [entry(ASK)], times: [time(at - 1000), time(at - 900)] }))
  assert.throws(() => verify(open(good), old), { name: 'CodedError', code: 'chain.revoked' })
})

test('a report under another ASK is accepted, with the latest list', () => {
  const other = open(crl({ entries: [entry(ASK + 1)] }))
  const old = open(crl({ times: [time(at - 1000), time(at - 900)] }))
  assert.equal(verify(old, other), other)
  assert.equal(verify(other, old), other)
  assert.equal(verify(), undefined)
})

test('a list of another root has no effect', async () => {
  const milan = await testAuthority('Milan')
  const { roots } = storeOf(milan)
  const list = openCrl(crl({ issuer: 'ARK-Milan', key: milan.arkKey, entries: [entry(ASK)] }), roots)
  assert.equal(verify(list), undefined)
})

const FOLDER = new URL('../../../../shared/fixtures/snp/amd-roots/', import.meta.url)
const skip = existsSync(FOLDER) ? false : 'the folder of real revocation lists is absent'

test("AMD's published lists are read", { skip }, () => {
  const roots = new TrustStore(AMD_ROOTS)
  const lists = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.includes('crl-'),
  )
  const read = lists.sort().map((path) => {
    const { thisUpdate, nextUpdate, revoked } = openCrl(readFileSync(new URL(path, FOLDER)), roots.roots)
    return [path, toRfc3339(thisUpdate).slice(0, 10), toRfc3339(nextUpdate).slice(0, 10), ...revoked]
  })
  assert.deepEqual(read, [
    ['Genoa/crl-2024-10-23.der', '2024-10-23', '2025-11-03', '020001'],
    ['Genoa/crl-2026-08-19.der', '2026-08-19', '2026-10-04', '020001'],
    ['Milan/crl-2025-05-06.der', '2025-05-06', '2026-05-12'],
    ['Milan/crl-2026-08-19.der', '2026-08-19', '2026-10-04'],
    ['Turin/crl-2026-08-19.der', '2026-08-19', '2026-10-04'],
  ])
})

test('the built-in certificates are those that AMD publishes', { skip }, () => {
  for (const { product, ark, ask, asvk } of AMD_ROOTS)
    for (const [name, der] of Object.entries({ ark, ask, asvk }))
      assert.deepEqual(der, readFileSync(new URL(`${product}/${name}.der`, FOLDER)))
})

test('the built-in certificates verify: pinned roots and their authorities', () => {
  const { roots } = new TrustStore(AMD_ROOTS)
  assert.deepEqual(
    roots.map(({ product, simulated, authorities }) => [
      product,
      simulated,
      authorities.map(({ subject, serial }) => `${subject} ${serial}`),
    ]),
    [
      ['Milan', false, ['SEV-Milan 010001', 'SEV-VLEK-Milan 010101']],
      ['Genoa', false, ['SEV-Genoa 020002', 'SEV-VLEK-Genoa 020101']],
      ['Turin', false, ['SEV-Turin 030001', 'SEV-VLEK-Turin 030101']],
    ],
  )
  const today = parseRfc3339('2026-11-21T00:00:00Z')
  for (const { notBefore, notAfter } of roots)
    assert.ok(notBefore < today && addSeconds(today, 15 * 31_557_600) < notAfter)
})
