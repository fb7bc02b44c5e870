import assert from 'node:assert/strict'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readEndorsements } from '../../src/verifier/endorsements.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { AMD_STATE, testAuthority } from '../amd.ts'

await testAuthority()

test('the roots of a folder, with what they have certified', async () => {
  const { roots } = await readEndorsements(AMD_STATE, true)
  const genoa = roots.find(({ product }) => product === 'Genoa')
  assert.equal(genoa?.simulated, true)
  assert.equal(genoa?.authorities.length, 1)
})

for (const { name, make, simulation, code } of [
  { name: 'no root', make: async () => {}, simulation: true, code: 'config.invalid' },
  {
    name: 'a root that is not of AMD, outside simulation',
    make: async (folder: string) => cp(join(AMD_STATE, 'Genoa', 'ark.der'), join(folder, 'Genoa', 'ark.der')),
    simulation: false,
    code: 'config.invalid',
  },
  {
    name: 'a file that is longer than a certificate',
    make: async (folder: string) => {
      await mkdir(join(folder, 'Genoa'))
      await writeFile(join(folder, 'Genoa', 'ark.der'), Buffer.alloc(4097))
    },
    simulation: true,
    code: 'config.invalid',
  },
  {
    name: 'a file that is no certificate',
    make: async (folder: string) => {
      await mkdir(join(folder, 'Genoa'))
      await writeFile(join(folder, 'Genoa', 'ark.der'), Buffer.alloc(1000))
    },
    simulation: true,
    code: 'chain.malformed',
  },
])
  test(`refused: ${name}`, async () => {
    const folder = await temporaryFolder()
    await make(folder)
    await assert.rejects(readEndorsements(folder, simulation), { code })
  })
