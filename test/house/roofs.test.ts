/**
 * The three roofs: `src` is what the image carries, `lab` may import it, and core's folders form no circle.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type Import, importsBelow } from './imports.ts'

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

describe('core', () => {
  const edges = folderEdges(imports.filter(({ from }) => layerOf(from) === 'core'))

  test('has folders that import each other', () => {
    assert.ok(edges.size > 5)
  })

  test('has no circle of folders', () => {
    assert.deepEqual(circleOf(edges), [])
  })
})

function layerOf(path: string): string {
  return path.split('/')[1] ?? ''
}

type Edges = ReadonlyMap<string, ReadonlySet<string>>

/** The folder directly below core; files beside the folders (errors.ts, bytes.ts …) form one of their own. */
function folderEdges(all: readonly Import[]): Edges {
  const edges = new Map<string, Set<string>>()
  for (const { from, to } of all) {
    const [a, b] = [folderOf(from), folderOf(to)]
    if (a !== b) edges.set(a, (edges.get(a) ?? new Set()).add(b))
  }
  return edges
}

function folderOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 3 ? (parts[2] ?? '') : '.'
}

/** The first circle that is found, as the folders on it; empty if there is none. */
function circleOf(edges: Edges): readonly string[] {
  const done = new Set<string>()
  const visit = (folder: string, path: readonly string[]): readonly string[] => {
    if (path.includes(folder)) return [...path.slice(path.indexOf(folder)), folder]
    if (done.has(folder)) return []
    for (const next of edges.get(folder) ?? []) {
      const circle = visit(next, [...path, folder])
      if (circle.length > 0) return circle
    }
    done.add(folder)
    return []
  }
  for (const folder of edges.keys()) {
    const circle = visit(folder, [])
    if (circle.length > 0) return circle
  }
  return []
}
