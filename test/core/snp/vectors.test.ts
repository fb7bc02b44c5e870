/**
 * Every vector of test/vectors/snp has its verdict and codes, and the generator still writes exactly these
 * files.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { judgeCase } from '#core/appraisal/conformanceCase.ts'
import { utf8 } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { fileOf, makeAreas } from '../../vectors/snp/generate.ts'
import { type Area, type Case, casesOf } from '../../vectors/snp/vector.ts'

const FOLDER = new URL('../../vectors/snp/', import.meta.url)
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
const amd = new TrustStore(AMD_ROOTS)

test('the generator writes exactly the files of the repository', () => {
  const made = makeAreas().map(fileOf)
  assert.deepEqual(files.toSorted(), made.map(({ file }) => file).toSorted())
  for (const { file, content } of made) assert.equal(readFileSync(new URL(file, FOLDER), 'utf8'), content)
})

for (const file of files) {
  const area = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Area // held to its generator above
  // A case's own form is held by the reader that it is given to.
  const cases = casesOf(area) as unknown as readonly Case[]
  test(`${area.area}: each case has a unique name`, () => {
    assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length)
  })
  for (const row of cases)
    test(`${area.area}: ${row.name}`, () => {
      const { result } = judgeCase(utf8(JSON.stringify(row)), amd)
      const { verdict, reasons } = result
      const said = reasons.map(({ code, actual }) => `${code}: ${actual}`).join('\n')
      assert.deepEqual({ verdict, codes: reasons.map(({ code }) => code) }, row.expect, said)
    })
}
