import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspectEndorsements, isSound } from '#adapters/sev/inspectEndorsements.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { parseRfc3339, toUnixSeconds } from '#core/time.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import { crlOf, mint, noon, platformOf, testAuthority } from '../../amd.ts'

const milan = await testAuthority('Milan')
const genoa = await testAuthority('Genoa')
const root = await mkdtemp(join(tmpdir(), 'cw-inspect-'))
after(() => rm(root, { recursive: true, force: true }))

const emptyFolder = () => mkdtemp(join(root, 'x-'))
const put = async (path: string, bytes: Uint8Array): Promise<string> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return path
}

const fixtures = fileURLToPath(new URL('../../../../shared/fixtures/snp/amd-roots/', import.meta.url))
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
    (await inspectEndorsements(folder, at)).files.map(({ file, state, problem }) => [
      file,
      problem === null ? state : `${state} ${problem.code}`,
    ]),
  )

test("AMD's own certificates are good, with names and validity", async () => {
  const shown = await inspectEndorsements(await amdFolder(), summer)
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
})

test("AMD's revocation lists are good until they expire", { skip }, async () => {
  const folder = await amdFolder()
  for (const { product } of AMD_ROOTS)
    await cp(join(fixtures, product, 'crl-2026-08-19.der'), join(folder, product, 'crl.der'))
  const shown = await inspectEndorsements(folder, summer)
  assert.equal(isSound(shown), true)
  const genoaList = shown.files.find(({ file }) => file === 'Genoa/crl.der')
  assert.deepEqual(genoaList?.crl, { number: '0a', revoked: ['020001'] })
  assert.equal(genoaList?.daysLeft, 13)
  const later = await inspectEndorsements(folder, winter)
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
})

test('files under another root or without meaning are untrusted or malformed', async () => {
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

test('a folder without roots is verified under AMD’s', async () => {
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

test('a simulated root verifies, but nothing under it is sound', async () => {
  const to = await emptyFolder()
  const { product, hardwareId, arkDer, askDer, asvkDer } = genoa
  const leaf = `vcek/${hardwareId}-0a00000000001b56.der`
  const [vcek = Buffer.alloc(0)] = mint(genoa).certs
  for (const [name, der] of Object.entries({
    'ark.der': arkDer,
    'ask.der': askDer,
    'asvk.der': asvkDer,
    'crl.der': crlOf(genoa),
    [leaf]: vcek,
  }))
    await put(join(to, product, name), der)
  const shown = await inspectEndorsements(to, noon(genoa))
  assert.equal(isSound(shown), false)
  assert.deepEqual([...new Set(shown.files.map(({ state }) => state))], ['simulated'])
  assert.deepEqual([shown.files.length, shown.files[0]?.pinned], [5, false])
  assert.deepEqual(
    [...new Set(Object.values(await states(to, toUnixSeconds(genoa.notBefore - 1))))],
    ['expired chain.expired', 'expired crl.stale'],
  )
})

test('a revoked intermediate, an expired leaf, and a leaf under another name', async () => {
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

test('an empty folder is not sound, a missing one cannot be read', async () => {
  const shown = await inspectEndorsements(await emptyFolder(), summer)
  assert.equal(isSound(shown), false)
  await assert.rejects(inspectEndorsements(join(root, 'nowhere'), summer), { code: 'input.unreadable' })
})
