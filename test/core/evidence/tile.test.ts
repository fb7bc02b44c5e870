import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '#core/bytes.ts'
import { openCheckpoint, parseCheckpoint } from '#core/evidence/checkpoint.ts'
import { GrowingLog, GrowingTree } from '#core/evidence/growth.ts'
import { parseVkey } from '#core/evidence/note.ts'
import {
  encodeBundle,
  newHashTiles,
  parseBundle,
  parseTileName,
  type Tile,
  tileName,
} from '#core/evidence/tile.ts'
import { EMPTY_ROOT, leafHash, rootOf } from '#core/evidence/tree.ts'
import { ABSENT, FIXTURES } from './fixtures.ts'

const file = (name: string) => readFileSync(new URL(name, FIXTURES))
const entriesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => utf8(`entry ${from + i}`))

test('each tile has one name', () => {
  const cases: [Tile, string][] = [
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 2, index: 1_234_067, width: 256 }, 'tile/2/x001/x234/067'],
    [{ level: 'entries', index: 1000, width: 3 }, 'tile/entries/x001/000.p/3'],
  ]
  for (const [tile, name] of cases) {
    assert.equal(tileName(tile), name)
    assert.deepEqual(parseTileName(name), tile)
  }
  for (const name of [
    'tile/0/0',
    'tile/00/000',
    'tile/7/000',
    'tile/0/x000/000',
    'tile/0/001/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/03',
    'tile/data/000',
    'x/tile/0/000',
    'tile/0/x999/x999/x999/x999/x999/999',
  ])
    assert.equal(parseTileName(name), undefined, name)
})

test('new tiles match the count of golang.org/x/mod/sumdb/tlog at height 10', { skip: ABSENT }, () => {
  for (const [from, to, count] of JSON.parse(file('notes.json').toString()).tileCount)
    assert.equal(newHashTiles(from, to, 10).length, count, `${from} to ${to}`)
})

test('a bundle round-trips, and is refused if an entry is cut or bytes follow', () => {
  const entries = [utf8('one'), utf8(''), Buffer.alloc(65_535, 7)]
  const bundle = encodeBundle(entries)
  assert.deepEqual(parseBundle(bundle, 3), entries)
  for (const [bytes, width] of [
    [bundle.subarray(0, -1), 3],
    [bundle.subarray(0, 6), 3],
    [bundle, 2],
    [bundle, 4],
    [Buffer.concat([bundle, Buffer.alloc(1)]), 3],
  ] as const)
    assert.throws(() => parseBundle(bytes, width), { code: 'evidence.malformed' })
  assert.throws(() => encodeBundle([Buffer.alloc(65_536)]), { code: 'evidence.malformed' })
})

test("Tessera's log equals ours, grown one by one and at once", { skip: ABSENT }, () => {
  const key = parseVkey('example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx')
  const entries = parseBundle(file('tessera-log/tile/entries/000.p/15'), 15)
  const log = new GrowingLog()
  assert.deepEqual(openCheckpoint(file('tessera-log/checkpoint.0').toString(), key).root, EMPTY_ROOT)
  for (const [i, entry] of entries.entries()) {
    const { size, root, bundles, hashTiles } = log.grow([entry])
    assert.deepEqual(openCheckpoint(file(`tessera-log/checkpoint.${i + 1}`).toString(), key), {
      origin: key.name,
      size,
      root,
    })
    for (const { name, bytes } of [...bundles, ...hashTiles])
      assert.deepEqual(bytes, file(`tessera-log/${name}`))
  }
  assert.equal(readdirSync(new URL('tessera-log/tile/0/000.p/', FIXTURES)).length, 15)
  const { root } = new GrowingLog().grow(entries)
  assert.deepEqual(openCheckpoint(file('tessera-log/checkpoint').toString(), key).root, root)
})

test('a log of 300 leaves crosses the edge of a tile as in the mirror of Sunlight', {
  skip: ABSENT,
}, () => {
  const tiles = Buffer.concat([file('mirror-300/tile/0/000'), file('mirror-300/tile/0/001.p/44')])
  const leaves = Array.from({ length: 300 }, (_, i) => tiles.subarray(i * 32, i * 32 + 32))
  const { root, hashTiles } = new GrowingTree().grow(leaves)
  const note = file('mirror-300/checkpoint').toString()
  assert.deepEqual(parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1)).root, root)
  assert.deepEqual(
    hashTiles.map(({ name }) => name),
    ['tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1'],
  )
  for (const { name, bytes } of hashTiles) assert.deepEqual(bytes, file(`mirror-300/${name}`), name)
})

test('the steps of growth change neither root nor tiles', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 5 }), (steps) => {
      const log = new GrowingLog()
      let tree = new GrowingTree()
      let size = 0
      for (const step of steps) {
        const copy = tree.copy()
        const grown = log.grow(entriesOf(step, size))
        size += step
        assert.equal(grown.root.toString('hex'), rootOf(entriesOf(size).map(leafHash)).toString('hex'))
        const { bundles: _bundles, ...ofTree } = grown
        const leaves = entriesOf(step, size - step).map(leafHash)
        assert.deepEqual(tree.grow(leaves), ofTree)
        assert.deepEqual(copy.grow(leaves), ofTree)
        tree = copy
        for (const { name, bytes } of grown.bundles) {
          const tile = parseTileName(name)
          assert(tile !== undefined)
          assert.deepEqual(parseBundle(bytes, tile.width), entriesOf(tile.width, tile.index * 256))
        }
        for (const { name, bytes } of grown.hashTiles) {
          const tile = parseTileName(name)
          assert(tile !== undefined && tile.level !== 'entries')
          const scale = 256 ** tile.level
          const hashes = Array.from({ length: tile.width }, (_, i) =>
            rootOf(entriesOf(scale, (tile.index * 256 + i) * scale).map(leafHash)),
          )
          assert.deepEqual(bytes, Buffer.concat(hashes))
        }
      }
    }),
    { numRuns: 15 },
  )
})

test('the second level appears at 65,536 entries', () => {
  const leaf = leafHash(utf8('x'))
  const tree = new GrowingTree()
  tree.grow(Array.from({ length: 65_535 }, () => leaf))
  const { hashTiles, root } = tree.grow([leaf, leaf])
  assert.deepEqual(
    hashTiles.map(({ name }) => name),
    ['tile/0/255', 'tile/0/256.p/1', 'tile/1/000', 'tile/2/000.p/1'],
  )
  assert.deepEqual(root, rootOf(Array.from({ length: 65_537 }, () => leaf)))
})
