/** The three roofs: `src` is what the image carries, `lab` may import it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { importsBelow } from './imports.ts'

const imports = importsBelow('src')

const LAYERS = ['core', 'ports', 'adapters', 'worker', 'verifier', 'function', 'cli'] as const
/** What each layer of `src` may import, besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core'],
  adapters: ['core', 'ports'],
  worker: ['core', 'ports', 'adapters'],
  verifier: ['core', 'ports', 'adapters'],
  function: ['core', 'ports', 'adapters'],
  cli: ['core', 'ports', 'adapters'],
}

describe('src', () => {
  test('has the layers of the architecture, and no other', () => {
    assert.deepEqual([...new Set(imports.map(({ from }) => layerOf(from)))].sort(), [...LAYERS].sort())
  })

  test('imports in one direction', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [layer, target] = [layerOf(from), layerOf(to)]
      return layer !== target && !(ALLOWED[layer] ?? []).includes(target)
    })
    assert.deepEqual(wrong, [])
  })

  test('is copied into the image without an exception', () => {
    const ignored = readFileSync(new URL('../../.dockerignore', import.meta.url), 'utf8').split('\n')
    assert.deepEqual(
      ignored.filter((line) => line.includes('src')),
      ['!src'],
    )
    const recipe = readFileSync(new URL('../../Containerfile', import.meta.url), 'utf8')
    assert.deepEqual(
      recipe.split('\n').filter((line) => line.startsWith('COPY') && line.includes('src')),
      ['COPY src ./src'],
    )
  })
})

function layerOf(path: string): string {
  return path.split('/')[1] ?? ''
}
