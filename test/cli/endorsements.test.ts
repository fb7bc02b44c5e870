import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fetchEndorsements } from '#cli/endorsements/fetch.ts'
import { isSound, showEndorsements } from '#cli/endorsements/show.ts'
import { renderFetched, renderShown } from '#cli/endorsements/text.ts'
import { sha256, toHex } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import type { Product } from '#core/snp/product.ts'
import { parseRfc3339, toUnixSeconds } from '#core/time.ts'
import { type AmdAuthority, SERIALS } from '#lab/amd/authority.ts'
import { AMD_STATE, crlOf, mint, noon, platformOf, testAuthority } from '../amd.ts'
import { virtualClock } from '../clock.ts'
import { startKds, type TestKds } from '../kds.ts'
import { cli } from './process.ts'

const milan = await testAuthority('Milan')
const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const root = await mkdtemp(join(tmpdir(), 'cli-endorsements-'))
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
/** A folder with the roots of the emulator, and nothing else. */
const roots = await emptyFolder()
for (const { product, arkDer } of [milan, genoa, turin]) await put(join(roots, product, 'ark.der'), arkDer)

async function open(authorities: readonly AmdAuthority[], start = noon(genoa)) {
  const service = await startKds(authorities, { now: () => start * 1000 })
  services.push(service)
  const ticking = virtualClock()
  const clock = { ...ticking, now: () => toUnixSeconds(start) }
  const to = await emptyFolder()
  const progressed: string[] = []
  const waits: string[] = []
  const fetch = (options: {
    readonly product?: readonly string[]
    readonly report?: string
    readonly roots?: string
    readonly kds?: string
  }) =>
    fetchEndorsements(
      { product: [], to, kds: service.url, roots, ...options },
      {
        clock,
        signal: new AbortController().signal,
        waiting: (why, milliseconds) => waits.push(`${why} ${milliseconds}`),
        progress: (done, total) => progressed.push(`${done}/${total}`),
      },
    )
  return { service, to, fetch, progressed, waits }
}
const refusal = (code: string) => (error: unknown) => codeOf(error) === code

describe('endorsements fetch', () => {
  test('brings the certificates and lists of all products, verified, and again nothing', async () => {
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
    assert.match(renderFetched(result), /^12 of 12 files written to .*; all verified up to the roots\n/)
    const again = await fetch({ product: ['Genoa'] })
    assert.deepEqual(
      again.files.map(({ status }) => status),
      // The emulator signs its list anew each time.
      ['unchanged', 'unchanged', 'unchanged', 'written'],
    )
  })

  for (const { authority, version } of [
    { authority: genoa, version: 3 },
    { authority: genoa, version: 2 },
    { authority: turin, version: 5 },
  ] as const)
    test(`brings the VCEK of a report of ${authority.product} in version ${version}`, async () => {
      const { product, hardwareId } = authority
      const { bytes, certs } = mint(authority, { version })
      const report = await put(join(root, `${product}-${version}.bin`), bytes)
      const { to, fetch } = await open([milan, genoa, turin])
      const { files } = await fetch({ report })
      const leaf = files.find(({ file }) => file.includes('/vcek/'))
      const tcb = product === 'Genoa' ? '0a00000000001b56' : '0103020500000061'
      assert.equal(leaf?.file, `${product}/vcek/${hardwareId}-${tcb}.der`)
      assert.deepEqual(await readFile(join(to, leaf.file)), certs[0])
    })

  test('verifies against the roots that it trusts: nothing of another is written', async () => {
    const { to, fetch } = await open([{ ...genoa, arkDer: turin.arkDer }])
    await assert.rejects(fetch({ product: ['Genoa'] }), refusal('chain.untrusted'))
    const impostor = await open([{ ...genoa, askDer: turin.askDer }])
    await assert.rejects(impostor.fetch({ product: ['Genoa'] }), refusal('chain.untrusted'))
    const other = await open([{ ...genoa, crl: turin.crl }])
    await assert.rejects(other.fetch({ product: ['Genoa'] }), refusal('crl.untrusted'))
    for (const folder of [to, impostor.to, other.to]) assert.deepEqual(await filesIn(folder), [])
  })

  test('does not put an older list in the place of a newer one, and mends a broken file', async () => {
    let list = crlOf(genoa, { number: 5, thisUpdate: noon(genoa) - 10 })
    const { to, fetch } = await open([{ ...genoa, crl: () => list }])
    const path = await put(join(to, 'Genoa', 'crl.der'), Buffer.alloc(10))
    await fetch({ product: ['Genoa'] })
    assert.deepEqual(await readFile(path), list)
    const held = list
    for (const change of [{ number: 4 }, { number: 6, thisUpdate: noon(genoa) - 20 }]) {
      list = crlOf(genoa, { thisUpdate: noon(genoa) - 10, ...change })
      await assert.rejects(fetch({ product: ['Genoa'] }), refusal('crl.superseded'))
      assert.deepEqual(await readFile(path), held)
    }
  })

  test('an intermediate that its own list revokes is not written', async () => {
    const list = crlOf(genoa, { revoked: [SERIALS.ask] })
    const { to, fetch } = await open([{ ...genoa, crl: () => list }])
    await assert.rejects(fetch({ product: ['Genoa'] }), refusal('chain.revoked'))
    assert.deepEqual(await filesIn(to), [])
  })

  test('a list that has ended is written, and said', async () => {
    const list = crlOf(genoa, { thisUpdate: noon(genoa) - 500, nextUpdate: noon(genoa) - 1 })
    const { fetch } = await open([{ ...genoa, crl: () => list }])
    const result = await fetch({ product: ['Genoa'] })
    assert.equal(result.lists[0]?.ended, true)
    assert.match(renderFetched(result), /Genoa: revocation list 1, ENDED /)
  })

  test('a leaf that is not of the key of the report, or not of AMD, is not written', async () => {
    const { bytes } = mint(genoa)
    const report = await put(join(root, 'other.bin'), bytes)
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
      name: 'a chip that no product of version 2 has',
      input: { hardwareId: 'ee'.repeat(64), version: 2 },
      code: 'kds.unknown',
    },
    { name: 'a VLEK', input: { signingKey: 'vlek' }, code: 'kds.unknown' },
    { name: 'a chip that is masked', input: { chipIdMasked: true }, code: 'kds.unknown' },
  ] as const)
    test(`${name}: ${code}`, async () => {
      const report = await put(join(root, `${name}.bin`), mint(genoa, input).bytes)
      const { fetch } = await open([milan, genoa, turin])
      await assert.rejects(fetch({ report }), refusal(code))
    })

  for (const { name, options, code } of [
    { name: 'a product that is none', options: { product: ['Rome'] }, code: 'usage.invalid' },
    { name: 'a service with a path', options: { kds: 'https://kds.example/x' }, code: 'usage.invalid' },
    { name: 'plain http to elsewhere', options: { kds: 'http://kds.example' }, code: 'usage.invalid' },
    { name: 'no roots', options: { roots: join(root, 'nowhere') }, code: 'input.unreadable' },
    { name: 'no report', options: { report: join(root, 'nowhere') }, code: 'input.unreadable' },
    {
      name: 'a report that is none',
      options: { report: fileURLToPath(import.meta.url) },
      code: 'report.malformed',
    },
  ])
    test(`${name}: ${code}`, async () => {
      const { fetch } = await open([genoa])
      await assert.rejects(fetch(options), refusal(code))
    })

  test('a service that answers nonsense or nothing', async () => {
    for (const [fault, code] of [
      [{ body: 'garbage', match: { path: 'cert_chain' }, times: 1 }, 'kds.unavailable'],
      [{ body: 'garbage', match: { path: 'crl' }, times: 1 }, 'crl.malformed'],
      [{ status: 503, times: 100 }, 'kds.unavailable'],
    ] as const) {
      const { to, fetch, service, waits } = await open([genoa])
      service.faults.arm({ service: 'kds', ...fault })
      await assert.rejects(fetch({ product: ['Genoa'] }), refusal(code))
      assert.equal(
        waits.some((why) => /^127\.0\.0\.1:\d+ answers with status 503 \d/.test(why)),
        'status' in fault,
      )
      assert.deepEqual(await filesIn(to), [])
    }
  })

  test('a folder that cannot be written', async () => {
    const { to, fetch } = await open([genoa])
    await put(join(to, 'Genoa'), Buffer.alloc(0))
    await assert.rejects(fetch({ product: ['Genoa'] }), refusal('output.unwritable'))
  })
})

describe('endorsements show', () => {
  const fixtures = fileURLToPath(new URL('../../../shared/fixtures/snp/amd-roots/', import.meta.url))
  const skip = existsSync(fixtures) ? false : 'the fixtures are not beside the repository'
  const summer = parseRfc3339('2026-09-21T00:00:00Z')
  const winter = parseRfc3339('2026-11-21T00:00:00Z')
  const amdFolder = async () => {
    const folder = await emptyFolder()
    for (const { product, ark, ask, asvk } of AMD_ROOTS)
      for (const [name, der] of Object.entries({ ark, ask, asvk }))
        await put(join(folder, product, `${name}.der`), der ?? Buffer.alloc(0))
    return folder
  }
  const states = async (folder: string, at = summer) =>
    Object.fromEntries(
      (await showEndorsements(folder, at)).files.map(({ file, state, problem }) => [
        file,
        problem === null ? state : `${state} ${problem.code}`,
      ]),
    )

  test("AMD's own: who they are, and for how long", async () => {
    const shown = await showEndorsements(await amdFolder(), summer)
    assert.equal(isSound(shown), true)
    assert.equal(shown.files.length, 9)
    assert.deepEqual(shown.files[4], {
      file: 'Genoa/ask.der',
      state: 'good',
      problem: null,
      subject: 'SEV-Genoa',
      serial: '020002',
      sha256: '5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521',
      pinned: null,
      validFrom: '2022-10-31T13:33:48Z',
      validTo: '2047-10-31T13:33:48Z',
      daysLeft: 7710,
      crl: null,
    })
    assert.equal(shown.files[3]?.pinned, true)
    assert.match(renderShown(shown), /^SOUND {2}.* at 2026-09-21T00:00:00Z: 9 files, all good\n/)
  })

  test("AMD's revocation lists, in their time and after it", { skip }, async () => {
    const folder = await amdFolder()
    for (const { product } of AMD_ROOTS)
      await cp(join(fixtures, product, 'crl-2026-08-19.der'), join(folder, product, 'crl.der'))
    const shown = await showEndorsements(folder, summer)
    assert.equal(isSound(shown), true)
    const genoaList = shown.files.find(({ file }) => file === 'Genoa/crl.der')
    assert.deepEqual(genoaList?.crl, { number: '0a', revoked: ['020001'] })
    assert.equal(genoaList?.daysLeft, 13)
    assert.match(renderShown(shown), /number 10, revoked: 020001/)
    const later = await showEndorsements(folder, winter)
    assert.equal(isSound(later), false)
    assert.deepEqual(
      later.files
        .filter(({ state }) => state !== 'good')
        .map(({ file, state, daysLeft }) => [file, state, daysLeft]),
      [
        ['Milan/crl.der', 'expired', -48],
        ['Genoa/crl.der', 'expired', -48],
        ['Turin/crl.der', 'expired', -48],
      ],
    )
    assert.match(renderShown(later), /^NOT SOUND .*: 3 of 12 files are not good/)
  })

  test('what is not in order', async () => {
    const folder = await amdFolder()
    await put(join(folder, 'Genoa', 'ask.der'), genoa.askDer)
    await put(join(folder, 'Turin', 'asvk.der'), Buffer.alloc(100))
    await put(join(folder, 'Milan', 'crl.der'), crlOf(milan))
    await put(join(folder, 'Turin', 'crl.der'), Buffer.alloc(100))
    const { bytes: _, certs } = mint(genoa)
    await put(join(folder, 'vcek.der'), certs[0] ?? Buffer.alloc(0))
    assert.deepEqual(await states(folder, noon(genoa)), {
      'Milan/ark.der': 'good',
      'Milan/ask.der': 'good',
      'Milan/asvk.der': 'good',
      'Milan/crl.der': 'untrusted crl.untrusted',
      'Genoa/ark.der': 'good',
      'Genoa/ask.der': 'untrusted chain.untrusted',
      'Genoa/asvk.der': 'good',
      'Turin/ark.der': 'good',
      'Turin/ask.der': 'good',
      'Turin/asvk.der': 'malformed chain.malformed',
      'Turin/crl.der': 'malformed crl.malformed',
      'vcek.der': 'untrusted chain.untrusted',
    })
  })

  test('a folder without roots is held against AMD’s', async () => {
    const folder = await emptyFolder()
    const [, amdGenoa] = AMD_ROOTS
    assert.ok(amdGenoa?.ask)
    await put(join(folder, 'Genoa', 'ask.der'), amdGenoa.ask)
    await put(join(folder, 'Genoa', 'asvk.der'), genoa.asvkDer)
    assert.deepEqual(await states(folder), {
      'Genoa/ask.der': 'good',
      'Genoa/asvk.der': 'untrusted chain.untrusted',
    })
  })

  test('a simulation: in order, and no proof of anything', async () => {
    const { to, fetch } = await open([genoa])
    const report = await put(join(root, 'simulated.bin'), mint(genoa).bytes)
    await fetch({ report })
    const shown = await showEndorsements(to, noon(genoa))
    assert.equal(isSound(shown), false)
    assert.deepEqual([...new Set(shown.files.map(({ state }) => state))], ['simulated'])
    assert.deepEqual([shown.files.length, shown.files[0]?.pinned], [5, false])
    assert.match(renderShown(shown), /under a root that is not AMD's/)
    assert.deepEqual(
      [...new Set(Object.values(await states(to, toUnixSeconds(genoa.notBefore - 1))))],
      ['expired chain.expired', 'expired crl.stale'],
    )
  })

  test('a revoked intermediate, an expired leaf, a leaf under the name of another', async () => {
    const folder = await emptyFolder()
    const { tcb } = platformOf(genoa)
    await put(join(folder, 'Genoa', 'ark.der'), genoa.arkDer)
    await put(join(folder, 'Genoa', 'ask.der'), genoa.askDer)
    await put(join(folder, 'Genoa', 'asvk.der'), genoa.asvkDer)
    await put(join(folder, 'Genoa', 'crl.der'), crlOf(genoa, { revoked: [SERIALS.asvk] }))
    const name = `Genoa/vcek/${genoa.hardwareId}-0a00000000001b55.der`
    await put(join(folder, name), genoa.endorse(genoa.hardwareId, tcb.reported).vcekDer)
    await put(join(folder, 'vlek.der'), genoa.endorseProvider('CN=x', tcb.reported).vlekDer)
    assert.deepEqual(await states(folder, noon(genoa)), {
      'Genoa/ark.der': 'simulated',
      'Genoa/ask.der': 'simulated',
      'Genoa/asvk.der': 'revoked chain.revoked',
      'Genoa/crl.der': 'simulated',
      [name]: 'untrusted chain.chip-mismatch',
      'vlek.der': 'simulated',
    })
    const later = toUnixSeconds(genoa.notBefore + 400 * 86_400)
    assert.equal((await states(folder, later))['vlek.der'], 'expired chain.expired')
  })

  test('nothing at all is not sound; no folder cannot be read', async () => {
    const shown = await showEndorsements(await emptyFolder(), summer)
    assert.equal(isSound(shown), false)
    assert.match(renderShown(shown), /there is nothing/)
    await assert.rejects(showEndorsements(join(root, 'nowhere'), summer), refusal('input.unreadable'))
  })
})

describe('on the command line', () => {
  test('fetched, shown, and a report verified with it, without a network', async () => {
    const service = await startKds([genoa])
    services.push(service)
    const to = join(await emptyFolder(), 'new')
    const report = await put(join(root, 'report.bin'), mint(genoa).bytes)
    const fetched = await cli(
      ...['endorsements', 'fetch', '--to', to, '--report', report, '--kds', service.url],
      ...['--roots', roots, '--json'],
    )
    assert.equal(fetched.code, 0, fetched.stderr)
    assert.match(fetched.stderr, /^warning: --roots: AMD's pinned roots are replaced/)
    assert.equal(JSON.parse(fetched.stdout).files.length, 5)
    assert.equal((await filesIn(to)).length, 5)

    const shown = await cli('endorsements', 'show', to, '--json')
    assert.deepEqual([shown.code, JSON.parse(shown.stdout).sound], [1, false])
    const verified = await cli(
      ...['report', 'verify', '--report', report, '--certs', join(to, 'Genoa', 'vcek')],
      ...['--crl', join(to, 'Genoa', 'crl.der'), '--roots', to, '--authentic-only'],
    )
    assert.equal(verified.code, 0, verified.stderr)
  })

  test('plain http needs roots of one’s own; a wrong time is usage', async () => {
    const http = await cli('endorsements', 'fetch', '--to', root, '--kds', 'http://127.0.0.1:1')
    assert.equal(http.code, 2)
    assert.match(http.stderr, /usage\.invalid/)
    const time = await cli('endorsements', 'show', AMD_STATE, '--at', 'tomorrow')
    assert.deepEqual([time.code, time.stdout], [2, ''])
  })

  test('--help teaches both', async () => {
    for (const command of ['fetch', 'show']) {
      const { code, stdout } = await cli('endorsements', command, '--help')
      assert.equal(code, 0)
      assert.match(stdout, /Examples\n {2}confidential-worker endorsements/)
      assert.match(stdout, /Exit codes/)
    }
  })
})
