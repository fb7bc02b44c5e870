/**
 * Writes the vectors of this folder: `node test/vectors/snp/generate.ts`. The same seeds give the same files.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { PRODUCTS } from '#core/snp/product.ts'
import { amdVectors, authorityVectors } from './authority.ts'
import { bindingVectors } from './binding.ts'
import { crlVectors } from './crl.ts'
import { formVectors } from './form.ts'
import { leafVectors, turinLeafVectors } from './leaf.ts'
import { productVectors } from './products.ts'
import { referenceVectors } from './reference.ts'
import { reportVectors } from './report.ts'
import { ruleVectors } from './rules.ts'
import { strictVectors } from './strict.ts'
import { type Area, areaOf } from './vector.ts'

const FOLDER = new URL('./', import.meta.url)

export function makeAreas(): readonly Area[] {
  return [
    ...PRODUCTS.map((product) => areaOf(`products-${product.toLowerCase()}`, productVectors(product))),
    areaOf('report', reportVectors()),
    ...PRODUCTS.map((product) => areaOf(`binding-${product.toLowerCase()}`, bindingVectors(product))),
    areaOf('leaf', leafVectors()),
    areaOf('leaf-turin', turinLeafVectors()),
    areaOf('form', formVectors()),
    areaOf('authority', authorityVectors()),
    areaOf('amd', amdVectors()),
    areaOf('crl', crlVectors()),
    areaOf('rules', ruleVectors()),
    areaOf('strict', strictVectors()),
    areaOf('reference', referenceVectors()),
  ]
}

/** The name and the exact content of an area's file. */
export function fileOf(area: Area, index: number): { readonly file: string; readonly content: string } {
  return {
    file: `${String(index + 1).padStart(2, '0')}-${area.area}.json`,
    content: `${JSON.stringify(area, undefined, 1)}\n`,
  }
}

if (import.meta.main) {
  const files = makeAreas().map(fileOf)
  for (const old of readdirSync(FOLDER)) if (old.endsWith('.json')) rmSync(new URL(old, FOLDER))
  for (const { file, content } of files) writeFileSync(new URL(file, FOLDER), content)
}
