import assert from 'node:assert/strict'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { readCrl, readTrustStore } from '../../src/verifier/endorsements.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { AMD_STATE, crlOf, storeOf, testAuthority } from '../amd.ts'

const genoa = await testAuthority('Genoa')
const put = async (folder: string, name: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(join(folder, 'Genoa'), { recursive: true })
  await writeFile(join(folder, 'Genoa', name), bytes)
}
const amd = AMD_ROOTS.find(({ product }) => product === 'Genoa')
assert.ok(amd?.ask && amd.asvk)
const { ark, ask, asvk } = amd

describe('roots', () => {
  test('a folder with simulated roots: only those', async () => {
    const folder = await temporaryFolder()
    for (const name of ['ark', 'ask', 'asvk'])
      await cp(join(AMD_STATE, 'Genoa', `${name}.der`), join(folder, 'Genoa', `${name}.der`))
    const { roots } = await readTrustStore(folder, true)
    assert.deepEqual(
      roots.map(({ product, simulated, authorities }) => [product, simulated, authorities.length]),
      [['Genoa', true, 2]],
    )
  })

  for (const { name, files } of [
    { name: 'an empty folder', files: {} },
    { name: 'a folder with an intermediate and no root', files: { 'ask.der': ask } },
    { name: "a folder with AMD's own root", files: { 'ark.der': ark } },
    {
      name: 'a folder with root and intermediates',
      files: { 'ark.der': ark, 'ask.der': ask, 'asvk.der': asvk },
    },
  ])
    test(`${name}: AMD's roots`, async () => {
      const folder = await temporaryFolder()
      for (const [file, bytes] of Object.entries(files)) await put(folder, file, bytes)
      const { roots } = await readTrustStore(folder, false)
      assert.deepEqual(
        roots.map(({ product, simulated, authorities }) => [product, simulated, authorities.length]),
        [
          ['Milan', false, 2],
          ['Genoa', false, 2],
          ['Turin', false, 2],
        ],
      )
    })

  for (const { name, files, simulation, code } of [
    {
      name: "a root that is not AMD's, outside simulation",
      files: { 'ark.der': genoa.arkDer },
      simulation: false,
      code: 'config.invalid',
    },
    {
      name: 'a file that is longer than a certificate',
      files: { 'ark.der': Buffer.alloc(4097) },
      simulation: true,
      code: 'config.invalid',
    },
    {
      name: 'a file that is not a certificate',
      files: { 'ark.der': Buffer.alloc(1000) },
      simulation: true,
      code: 'chain.malformed',
    },
    {
      name: "an intermediate that AMD's root has not signed",
      files: { 'ark.der': ark, 'ask.der': genoa.askDer },
      simulation: false,
      code: 'chain.untrusted',
    },
  ])
    test(`refused: ${name}`, async () => {
      const folder = await temporaryFolder()
      for (const [file, bytes] of Object.entries(files)) await put(folder, file, bytes)
      await assert.rejects(readTrustStore(folder, simulation), { code })
    })

  test('refused: a missing folder, or a file instead', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')
    for (const name of ['nowhere', 'file'])
      await assert.rejects(readTrustStore(join(folder, name), false), { code: 'config.invalid' })
  })
})

describe('the revocation list of a folder', () => {
  const trusted = storeOf(genoa)

  test('is the list of its product', async () => {
    const folder = await temporaryFolder()
    assert.equal(await readCrl(folder, 'Genoa', trusted), undefined)
    await put(folder, 'crl.der', crlOf(genoa, { number: 7 }))
    assert.equal((await readCrl(folder, 'Genoa', trusted))?.number, '07')
  })

  test('is refused if it is malformed, of another root, or too long', async () => {
    const turin = await testAuthority('Turin')
    const folder = await temporaryFolder()
    for (const [bytes, code] of [
      [Buffer.alloc(1000), 'crl.malformed'],
      [crlOf(turin), 'crl.untrusted'],
      [Buffer.alloc(1024 * 1024 + 1), 'config.invalid'],
    ] as const) {
      await put(folder, 'crl.der', bytes)
      await assert.rejects(readCrl(folder, 'Genoa', trusted), { code })
    }
    // From a known root of another product.
    await put(folder, 'crl.der', crlOf(turin))
    const both = { roots: [...trusted.roots, ...storeOf(turin).roots] }
    await assert.rejects(readCrl(folder, 'Genoa', both), { code: 'crl.untrusted' })
  })
})
