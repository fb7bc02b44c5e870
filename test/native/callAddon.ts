/**
 * A program for the tests: `callAddon.ts CALLS` calls each function of the addon CALLS times, twice. It
 * prints by how many bytes the process grew in the second round, when JavaScript's heap has settled. Under
 * the fake device /dev/null answers; without it every request is refused.
 */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadAddon } from '#adapters/system/addon.ts'

const CALLS = Number(process.argv[2] ?? 10_000)
const AT_ONCE = 50
const SEGMENT_BYTES = 64

const addon = loadAddon()
assert.ok(!(addon instanceof Error))
const { aead, allocateSecret, getReport, notify, freeSecret } = addon
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const reportData = Buffer.alloc(64, 7)
const key = Buffer.alloc(32)
// Enough segments to make a job of a few KB, so that a leaked one shows.
const segments = Array.from({ length: 32 }, () => [12, 9, 16, SEGMENT_BYTES, SEGMENT_BYTES])
const parts = segments.flat().map((size) => Buffer.alloc(size))
const counts = new Uint32Array(segments.length).fill(1)
const wrongCounts = new Uint32Array(segments.length).fill(2)
const wrongParts = [...parts.slice(0, -1), Buffer.alloc(SEGMENT_BYTES + 1)]

/** The calls. Those that throw or reject must free what they allocated. */
const calls: Readonly<Record<string, () => unknown>> = {
  'a report': () => getReport('/dev/null', reportData, 0, false),
  'a report with its table': () => getReport('/dev/null', reportData, 0, true),
  'a report that the firmware refuses': () => getReport('/dev/null', reportData, 4, true),
  'an absent device': () => getReport('/dev/absent', reportData, 0, true),
  'REPORT_DATA of the wrong length': () =>
    assert.throws(() => getReport('/dev/null', reportData.subarray(1), 0, true), RangeError),
  'a path of the wrong type': () =>
    assert.throws(() => Reflect.apply(getReport, undefined, [1, reportData, 0, true])),
  'a path with a NUL': () => assert.throws(() => getReport('/dev/null\0', reportData, 0, true), RangeError),
  'a secret, freed twice': () => {
    const secret = allocateSecret(64)
    freeSecret(secret)
    freeSecret(secret)
  },
  'a secret, left to the collector': () => allocateSecret(5000),
  'a secret of no bytes': () => assert.throws(() => allocateSecret(0), RangeError),
  'freeing a plain buffer': () => assert.throws(() => freeSecret(reportData), RangeError),
  'a notification': () => notify('/absent', 'READY=1'),
  'a notification to no socket': () => notify('absent', 'READY=1'),
  'a segment sealed': () => aead?.(true, key, parts, counts),
  'a segment that does not open': () => aead?.(false, Buffer.alloc(32, 1), parts, counts),
  'parts that do not match their counts': () =>
    assert.throws(() => aead?.(true, key, parts, wrongCounts) ?? assert.fail(), Error),
  'counts of the wrong type': () =>
    assert.throws(() => Reflect.apply(aead ?? assert.fail, undefined, [true, key, parts, Buffer.alloc(32)])),
  'a part of the wrong length': () =>
    assert.throws(() => aead?.(true, key, wrongParts, counts) ?? assert.fail(), Error),
}

async function callOften(call: () => unknown, times: number): Promise<number> {
  for (let done = 0; done < times; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, async () => call()))
    // Finalizers run on the event loop.
    await setImmediate()
  }
  for (let round = 0; round < 3; round++) {
    collectGarbage()
    await setImmediate()
  }
  return process.memoryUsage.rss()
}

const growth: Record<string, number> = {}
for (const [name, call] of Object.entries(calls)) {
  const before = await callOften(call, CALLS)
  growth[name] = (await callOften(call, CALLS)) - before
}
console.log(JSON.stringify(growth))
