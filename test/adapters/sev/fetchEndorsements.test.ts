import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fetchEndorsements } from '#adapters/sev/fetchEndorsements.ts'
import { createKds } from '#adapters/sev/kds.ts'
import { sha256, toHex } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import type { Product } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import { toUnixSeconds } from '#core/time.ts'
import { type AmdAuthority, SERIALS } from '#lab/amd/authority.ts'
import { crlOf, mint, noon, platformOf, testAuthority } from '../../amd.ts'
import { virtualClock } from '../../clock.ts'
import { startKds, type TestKds } from '../../kds.ts'

const milan = await testAuthority('Milan')
const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const root = await mkdtemp(join(tmpdir(), 'cw-fetch-'))
const services: TestKds[] = []
after(async () => {
  await Promise.all(services.map(({ close }) => close()))
  await rm(root, { recursive: true, force: true })
})

const emptyFolder = () => mkdtemp(join(root, 'x-'))
const put = async (path: string, bytes: Uint8Array): Promise<string> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return path
}
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort()
/** Only the roots of the emulated AMD. */
const trusted = [milan, genoa, turin].map(({ product, arkDer }) => ({
  product,
  ark: arkDer,
  simulated: true,
}))

async function open(authorities: readonly AmdAuthority[], start = noon(genoa)) {
  const kds = await startKds(authorities, { now: () => start * 1000 })
  services.push(kds)
  const clock = { ...virtualClock(), now: () => toUnixSeconds(start) }
  const to = await emptyFolder()
  const progressed: string[] = []
  const waits: string[] = []
  const service = createKds({
    url: kds.url,
    simulation: true,
    clock,
    waiting: (why, milliseconds) => waits.push(`${why} ${milliseconds}`),
  })
  const fetch = ({
    products = [],
    report,
  }: {
    readonly products?: readonly Product[]
    readonly report?: Buffer
  }) =>
    fetchEndorsements(
      { to, kds: kds.url, trusted, products, report: report === undefined ? undefined : parseReport(report) },
      {
        service,
        clock,
        signal: new AbortController().signal,
        progress: (done, total) => progressed.push(`${done}/${total}`),
      },
    )
  return { kds, to, fetch, progressed, waits }
}
const refusal = (code: string) => (error: unknown) => codeOf(error) === code

test('writes the certificates and lists of all products, and nothing again', async () => {
  const { to, fetch, progressed } = await open([milan, genoa, turin])
  const result = await fetch({})
  const names = (product: Product) => ['ark', 'ask', 'asvk', 'crl'].map((name) => `${product}/${name}.der`)
  assert.deepEqual(
    result.files.map(({ file, status }) => `${status} ${file}`),
    (['Milan', 'Genoa', 'Turin'] as const).flatMap(names).map((name) => `written ${name}`),
  )
  assert.deepEqual(await readFile(join(to, 'Turin', 'asvk.der')), turin.asvkDer)
  assert.equal(result.files[4]?.sha256, toHex(sha256(genoa.arkDer)))
  assert.deepEqual(
    result.lists.map(({ product, number, ended, revoked }) => [product, number, ended, revoked]),
    [
      ['Milan', '01', false, []],
      ['Genoa', '01', false, []],
      ['Turin', '01', false, []],
    ],
  )
  assert.equal(progressed.at(-1), '9/9')
  const again = await fetch({ products: ['Genoa'] })
  assert.deepEqual(
    again.files.map(({ status }) => status),
    // The emulator signs a new list each time.
    ['unchanged', 'unchanged', 'unchanged', 'written'],
  )
})

for (const { authority, version } of [
  { authority: genoa, version: 3 },
  { authority: genoa, version: 2 },
  { authority: turin, version: 5 },
] as const)
  test(`writes the VCEK of a report of ${authority.product} in version ${version}`, async () => {
    const { product, hardwareId } = authority
    const { bytes, certs } = mint(authority, { version })
    const { to, fetch } = await open([milan, genoa, turin])
    const { files } = await fetch({ report: bytes })
    const leaf = files.find(({ file }) => file.includes('/vcek/'))
    const tcb = product === 'Genoa' ? '0a00000000001b56' : '0103020500000061'
    assert.equal(leaf?.file, `${product}/vcek/${hardwareId}-${tcb}.der`)
    assert.deepEqual(await readFile(join(to, leaf.file)), certs[0])
  })

test('writes nothing that does not verify under the trusted roots', async () => {
  const { to, fetch } = await open([{ ...genoa, arkDer: turin.arkDer }])
  await assert.rejects(fetch({ products: ['Genoa'] }), refusal('chain.untrusted'))
  const impostor = await open([{ ...genoa, askDer: turin.askDer }])
  await assert.rejects(impostor.fetch({ products: ['Genoa'] }), refusal('chain.untrusted'))
  const other = await open([{ ...genoa, crl: turin.crl }])
  await assert.rejects(other.fetch({ products: ['Genoa'] }), refusal('crl.untrusted'))
  for (const folder of [to, impostor.to, other.to]) assert.deepEqual(await filesIn(folder), [])
})

test('keeps a newer list than the fetched one, and replaces a broken file', async () => {
  let list = crlOf(genoa, { number: 5, thisUpdate: noon(genoa) - 10 })
  const { to, fetch } = await open([{ ...genoa, crl: () => list }])
  const path = await put(join(to, 'Genoa', 'crl.der'), Buffer.alloc(10))
  await fetch({ products: ['Genoa'] })
  assert.deepEqual(await readFile(path), list)
  const held = list
  for (const change of [{ number: 4 }, { number: 6, thisUpdate: noon(genoa) - 20 }]) {
    list = crlOf(genoa, { thisUpdate: noon(genoa) - 10, ...change })
    await assert.rejects(fetch({ products: ['Genoa'] }), refusal('crl.superseded'))
    assert.deepEqual(await readFile(path), held)
  }
})

test('does not write an intermediate that its own list revokes', async () => {
  const list = crlOf(genoa, { revoked: [SERIALS.ask] })
  const { to, fetch } = await open([{ ...genoa, crl: () => list }])
  await assert.rejects(fetch({ products: ['Genoa'] }), refusal('chain.revoked'))
  assert.deepEqual(await filesIn(to), [])
})

test('writes a list that has ended, and reports it', async () => {
  const list = crlOf(genoa, { thisUpdate: noon(genoa) - 500, nextUpdate: noon(genoa) - 1 })
  const { fetch } = await open([{ ...genoa, crl: () => list }])
  const result = await fetch({ products: ['Genoa'] })
  assert.equal(result.lists[0]?.ended, true)
})

test("does not write a leaf of another key than the report's, or not signed by AMD", async () => {
  const { bytes: report } = mint(genoa)
  const other = genoa.endorse('11'.repeat(64), platformOf(genoa).tcb.reported)
  const { vcekDer } = genoa.endorse(genoa.hardwareId, platformOf(genoa).tcb.reported)
  const forged = Buffer.from(vcekDer)
  forged.writeUInt8(forged.readUInt8(forged.byteLength - 100) ^ 1, forged.byteLength - 100)
  for (const endorsed of [other, { ...other, vcekDer: forged }]) {
    const { to, fetch } = await open([{ ...genoa, endorse: () => endorsed }])
    await assert.rejects(fetch({ report }), refusal('chain.untrusted'))
    assert.deepEqual(await filesIn(to), [])
  }
})

for (const { name, input, code } of [
  { name: 'a chip that AMD does not know', input: { hardwareId: 'ee'.repeat(64) }, code: 'kds.unknown' },
  {
    name: 'a version 2 report whose chip no product has',
    input: { hardwareId: 'ee'.repeat(64), version: 2 },
    code: 'kds.unknown',
  },
  { name: 'a VLEK', input: { signingKey: 'vlek' }, code: 'kds.unknown' },
  { name: 'a masked chip', input: { chipIdMasked: true }, code: 'kds.unknown' },
] as const)
  test(`${name}: ${code}`, async () => {
    const report = mint(genoa, input).bytes
    const { fetch } = await open([milan, genoa, turin])
    await assert.rejects(fetch({ report }), refusal(code))
  })

test('refuses garbage, and waits for a service that is down', async () => {
  for (const [fault, code] of [
    [{ body: 'garbage', match: { path: 'cert_chain' }, times: 1 }, 'kds.unavailable'],
    [{ body: 'garbage', match: { path: 'crl' }, times: 1 }, 'crl.malformed'],
    [{ status: 503, times: 100 }, 'kds.unavailable'],
  ] as const) {
    const { to, fetch, kds, waits } = await open([genoa])
    kds.faults.arm({ service: 'kds', ...fault })
    await assert.rejects(fetch({ products: ['Genoa'] }), refusal(code))
    assert.equal(
      waits.some((why) => /^127\.0\.0\.1:\d+ answers with status 503 \d/.test(why)),
      'status' in fault,
    )
    assert.deepEqual(await filesIn(to), [])
  }
})

test('reports a folder that cannot be written', async () => {
  const { to, fetch } = await open([genoa])
  await put(join(to, 'Genoa'), Buffer.alloc(0))
  await assert.rejects(fetch({ products: ['Genoa'] }), refusal('output.unwritable'))
})
