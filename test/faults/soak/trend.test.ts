import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plot } from './plot.ts'
import { type Point, trendOf } from './trend.ts'

const series = (y: (seconds: number) => number): readonly Point[] =>
  Array.from({ length: 360 }, (_, index) => ({ x: index * 5, y: y(index * 5) }))

test('a level that repeats is flat; a leak and its size are seen through the collector', () => {
  const sawtooth = (seconds: number) => 100 + (seconds % 60)
  assert.ok(Math.abs(trendOf(series(sawtooth))?.growth ?? 1) < 1e-9)
  // The warm-up of the first third is left out.
  assert.ok(Math.abs(trendOf(series((seconds) => Math.min(seconds, 500)))?.growth ?? 1) < 1e-9)
  // A megabyte per minute, from the tenth to the twenty-seventh.
  const leak = trendOf(series((seconds) => sawtooth(seconds) + seconds / 60))
  assert.ok(Math.abs((leak?.growth ?? 0) * (leak?.mean ?? 0) - 17) < 0.01)
  assert.equal(trendOf(series(() => 0))?.growth, 0)
  assert.equal(trendOf(series((seconds) => seconds).slice(0, 20)), undefined)
})

test('a plot has a line per program and a mark per fault, within its frame', () => {
  const svg = plot(
    'a soak',
    [{ title: 'memory', lines: [{ name: 'worker-1', points: series((seconds) => seconds) }] }],
    [600],
  )
  const points = /<polyline [^>]*points="([^"]*)"/.exec(svg)?.[1]?.split(' ') ?? []
  assert.equal(points.length, 360)
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []
  for (const point of points) {
    const [x = Number.NaN, y = Number.NaN] = point.split(',').map(Number)
    assert.ok(x >= 0 && x <= Number(width) && y >= 0 && y <= Number(height), point)
  }
  assert.equal(svg.match(/#f3c5c5/g)?.length, 1)
  assert.ok(svg.includes('>worker-1<'))
})
