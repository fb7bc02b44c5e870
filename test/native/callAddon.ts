/**
 * A program for the tests: calls each function of the addon very often, and prints by how many bytes the process grew
 * the second time, when JavaScript's own heap has found its size.
 */
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadAddon } from '#adapters/system/addon.ts'

const CALLS = 10_000
const AT_ONCE = 50
const SEGMENT_BYTES = 64

const addon = loadAddon()
assert.ok(!(addon instanceof Error))
const { aead, getReport, notify } = addon
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const key = Buffer.alloc(32)
// As many segments as make a job of the addon a few KB large, so that a lost one shows.
const segments = Array.from({ length: 32 }, () => [12, 9, 16, SEGMENT_BYTES, SEGMENT_BYTES])
const parts = segments.flat().map((size) => Buffer.alloc(size))
const counts = new Uint32Array(segments.length).fill(1)
const wrongCounts = new Uint32Array(segments.length).fill(2)
const wrongParts = [...parts.slice(0, -1), Buffer.alloc(SEGMENT_BYTES + 1)]

/** What each call does; those that throw or reject must free what they had begun. */
const calls: Readonly<Record<string, () => unknown>> = {
  'a request that fails': () => getReport('/dev/null', Buffer.alloc(64), 0),
  'a device that is not there': () => getReport('/dev/absent', Buffer.alloc(64), 0),
  'REPORT_DATA of the wrong length': () =>
    assert.throws(() => getReport('/dev/null', Buffer.alloc(63), 0), RangeError),
  'a path of the wrong type': () =>
    assert.throws(() => Reflect.apply(getReport, undefined, [1, Buffer.alloc(64), 0])),
  'a notification': () => notify('/absent', 'READY=1'),
  'a notification to no socket': () => notify('absent', 'READY=1'),
  'a segment sealed': () => aead?.(true, key, parts, counts),
  'a segment that does not open': () => aead?.(false, Buffer.alloc(32, 1), parts, counts),
  'parts that do not match their counts': () =>
    assert.throws(() => aead?.(true, key, parts, wrongCounts) ?? assert.fail(), Error),
  'a part of the wrong length': () =>
    assert.throws(() => aead?.(true, key, wrongParts, counts) ?? assert.fail(), Error),
}

async function callOften(call: () => unknown, times: number): Promise<number> {
  for (let done = 0; done < times; done += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, async () => call()))
  collectGarbage()
  return process.memoryUsage.rss()
}

const growth: Record<string, number> = {}
for (const [name, call] of Object.entries(calls)) {
  const before = await callOften(call, CALLS)
  growth[name] = (await callOften(call, CALLS)) - before
}
console.log(JSON.stringify(growth))
