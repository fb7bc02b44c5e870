/** Limits far above the size of real reports and lists. */
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { type Crl, isOlder, openCrl } from '#core/snp/crl.ts'
import { integerOf, Malformed, octetsOf, oidOf, parseDer } from '#core/snp/der.ts'
import { MAX_CRL_BYTES } from '#core/snp/layout.ts'
import { parseTcb } from '#core/snp/tcb.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { authorityKeyIdentifier, extension } from '#lab/amd/certificate.ts'
import { integer, oid } from '#lab/amd/der.ts'
import { crlOf, mint, noon, storeOf, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const store = storeOf(amd)
const at = noon(amd)

test('a store remembers 1024 chains by default', () => {
  const [leaf] = mint(amd).certs
  assert.ok(leaf)
  // An additional certificate that changes only the list.
  const beside = (index: number) => {
    const der = Buffer.from(leaf)
    der.writeUInt32BE(index, der.byteLength - 4)
    return [leaf, der]
  }
  const fresh = storeOf(amd)
  fresh.endorse(beside(0), 'vcek', at)
  // The second use of a chain imports its key.
  const first = fresh.endorse(beside(0), 'vcek', at)
  for (let index = 1; index < 1024; index += 1) fresh.endorse(beside(index), 'vcek', at)
  assert.equal(fresh.endorse(beside(0), 'vcek', at), first)
  for (let index = 2; index < 1026; index += 1) fresh.endorse(beside(index), 'vcek', at)
  assert.notEqual(fresh.endorse(beside(0), 'vcek', at), first)
})

test('a revocation list has at most 1 MiB', () => {
  const extensions = (bytes: number) => [
    authorityKeyIdentifier(createPublicKey(amd.arkKey)),
    extension('2.5.29.20', integer(1)),
    extension('1.2.3.4', Buffer.alloc(bytes)),
  ]
  const usual = 1_000_000
  const spare = MAX_CRL_BYTES - crlOf(amd, { extensions: extensions(usual) }).byteLength
  const largest = crlOf(amd, { extensions: extensions(usual + spare) })
  assert.equal(largest.byteLength, 1024 * 1024)
  assert.equal(openCrl(largest, store.roots).number, '01')
  const larger = crlOf(amd, { extensions: extensions(usual + spare + 1) })
  assert.throws(() => openCrl(larger, store.roots), {
    code: 'crl.malformed',
    message: /expected at most 1048576/,
  })
})

test('a list is older by its number or by its date', () => {
  const list: Crl = { ...openCrl(crlOf(amd, { number: 16 }), store.roots) }
  const later = addSeconds(list.thisUpdate, 1)
  const earlier = toUnixSeconds(list.thisUpdate - 1)
  for (const [change, older] of [
    [{}, false],
    [{ number: '11', thisUpdate: later }, false],
    [{ number: '11' }, false],
    [{ thisUpdate: later }, false],
    [{ number: '0f' }, true],
    [{ number: '0f', thisUpdate: later }, true],
    [{ thisUpdate: earlier }, true],
    [{ number: '11', thisUpdate: earlier }, true],
    // Compared as numbers, not as texts.
    [{ number: '0100' }, false],
  ] as const)
    assert.equal(isOlder({ ...list, ...change }, list), older, JSON.stringify(change))
})

test('lengths take up to three octets', () => {
  const large = (header: string, bytes: number) =>
    parseDer(Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(bytes)]))
  assert.equal(octetsOf(large('0483010000', 0x1_0000)).byteLength, 0x1_0000)
  assert.throws(() => large('048300ffff', 0xffff), Malformed)
  assert.throws(() => large('048401000000', 0x100_0000), Malformed)
})

test('tags and OBJECT IDENTIFIER arcs at their limits are read', () => {
  assert.equal(parseDer(Buffer.from('1e00', 'hex')).tag, 0x1e)
  assert.equal(integerOf(parseDer(Buffer.from('020500ffffffff', 'hex')), 2 ** 32 - 1), 2 ** 32 - 1)
  for (const name of ['0.0', '0.39', '1.0', '1.39', '2.0', '2.39', '2.40', '2.999', '1.2.127', '1.2.128'])
    assert.equal(oidOf(parseDer(oid(name))), name)
})

test('a TCB version has eight bytes', () => {
  for (const bytes of [0, 7, 9])
    assert.throws(() => parseTcb(Buffer.alloc(bytes), 'Genoa'), { code: 'report.invalid' })
  assert.equal(parseTcb(Buffer.alloc(8), 'Genoa').snp, 0)
})
