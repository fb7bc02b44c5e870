/**
 * Releases of a Verifier process, compared with only the public-key operations that they need, by the same
 * OpenSSL with parsed keys. Both sides count processor time: the client and the emulator of OCI, which share
 * the machine, count for neither. Latency is wall-clock time, from the request's first byte to its answer.
 */
import assert from 'node:assert/strict'
import { diffieHellman, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { ReleaseJob } from '#core/release/request.ts'
import { deployVerifier } from '../test/verifier/deployedVerifier.ts'
import { createWorker } from '../test/verifier/worker.ts'
import type { Benchmark, Row } from './benchmark.ts'
import { speedsOf } from './processorTime.ts'

/** Not 64 clients with 16 objects: the emulator, on the same machine, gives no 1,024 DEKs in a request's time. */
const LOADS: readonly Load[] = [
  { objects: 1, clients: 1 },
  { objects: 1, clients: 8 },
  { objects: 1, clients: 64 },
  { objects: 16, clients: 1 },
  { objects: 16, clients: 8 },
]
const MAX_CLIENTS = 64
const MAX_OBJECTS = 16
/** Rounds alternate, so other load on the machine affects all rows alike. */
const ROUNDS = 2
const REQUESTS_PER_ROUND = 64
/** design.md §7, for 16 objects. */
const BAR = { atLeast: 0.45 }
const PACE = { rounds: 30, warmUpRounds: 5, roundSeconds: 0.03 }

type Worker = ReturnType<typeof createWorker>
type Load = { readonly objects: number; readonly clients: number }
type Times = { readonly latencies: number[]; processorSeconds: number }

export const release: Benchmark = {
  name: 'release',
  what: 'requests per core of a Verifier, compared with their public-key operations; latency',
  run: async () => {
    const ends: (() => unknown)[] = []
    const t = { after: (end: () => unknown) => ends.push(end) }
    try {
      const { deployment, url, monitor } = await deployVerifier(t, { requestSeconds: 25 })
      const workers = Array.from({ length: MAX_CLIENTS }, (_, index) =>
        createWorker(deployment, url, deployment.ca.issue(`worker-${index}`)),
      )
      t.after(() => {
        for (const { service } of workers) service.close()
      })
      const jobs = await Promise.all(
        Array.from({ length: MAX_OBJECTS }, async () => (await deployment.seal()).job),
      )
      const times = new Map<Load, Times>(LOADS.map((load) => [load, { latencies: [], processorSeconds: 0 }]))
      for (let round = -1; round < ROUNDS; round += 1)
        for (const [load, taken] of times) {
          const one = await roundOf(load, { workers, jobs, monitor })
          if (round < 0) continue
          taken.latencies.push(...one.latencies)
          taken.processorSeconds += one.processorSeconds
        }
      return rowsOf(times)
    } finally {
      for (const end of ends.reverse()) await end()
    }
  },
}

/** Prepares the requests first, with their reports, so that only the Verifier's work is timed. */
async function roundOf(
  { objects, clients }: Load,
  { workers, jobs, monitor }: { workers: readonly Worker[]; jobs: readonly ReleaseJob[]; monitor: string },
): Promise<Times> {
  const asking = workers.slice(0, clients)
  const prepared = asking.map(() => [] as (() => Promise<number>)[])
  for (let count = 0; count < REQUESTS_PER_ROUND; count += 1) {
    const { service, prepare } = workers[count % clients] as Worker
    const { request, nonce } = await prepare(jobs.slice(0, objects))
    prepared[count % clients]?.push(async () => {
      const from = performance.now()
      const response = await service.release(request, nonce)
      const milliseconds = performance.now() - from
      assert.ok('answers' in response && response.answers.every((answer) => 'grant' in answer), 'refused')
      return milliseconds
    })
  }
  const before = await processorSeconds(monitor)
  const latencies = await Promise.all(
    prepared.map(async (requests) => {
      const own: number[] = []
      for (const ask of requests) own.push(await ask())
      return own
    }),
  )
  return { latencies: latencies.flat(), processorSeconds: (await processorSeconds(monitor)) - before }
}

async function processorSeconds(monitor: string): Promise<number> {
  const metrics = await (await fetch(`${monitor}/metrics`)).text()
  const value = /^process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1]
  assert.ok(value, 'the Verifier does not count its processor time')
  return Number(value)
}

function rowsOf(times: ReadonlyMap<Load, Times>): readonly Row[] {
  const loads = [...times]
  const rates = loads.map(([{ objects, clients }, { latencies, processorSeconds: seconds }]): Row => {
    const bar = objects === 16 && clients === 8 ? { bar: BAR } : {}
    return {
      what: `${nameOf({ objects, clients })}, ${format(objects * latencies.length, seconds)} objects/s`,
      unit: 'requests/s per core',
      measured: latencies.length / seconds,
      against: 'public-key operations',
      limit: ceilingOf(objects),
      ...bar,
    }
  })
  const alone = new Map(
    loads.map(([{ objects, clients }, { latencies }]) => [`${objects}/${clients}`, latencies] as const),
  )
  const latencyRows = loads.flatMap(([load, { latencies }]): Row[] =>
    [0.5, 0.99].map((part) => ({
      what: `${nameOf(load)}, ${part * 100} % of answers within`,
      unit: 'ms',
      measured: quantileOf(latencies, part),
      against: 'one client',
      limit: quantileOf(alone.get(`${load.objects}/1`) ?? latencies, part),
    })),
  )
  return [...rates, ...latencyRows]
}

function nameOf({ objects, clients }: Load): string {
  return `${objects} object${objects === 1 ? '' : 's'} a request, ${clients} client${clients === 1 ? '' : 's'}`
}

function format(count: number, seconds: number): string {
  return (count / seconds).toFixed(0)
}

function quantileOf(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

/**
 * Requests per second if nothing but these took time. Once per request: report and assertion on P-384, and
 * possession; the checkpoint before the answer. Per object: its header on P-384, an ephemeral P-256 key and
 * its agreement, the grant.
 */
function ceilingOf(objects: number): number {
  const message = Buffer.alloc(1024, 7)
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const ed25519 = generateKeyPairSync('ed25519')
  const recipient = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsa = sign('sha384', message, p384.privateKey)
  const eddsa = sign(undefined, message, ed25519.privateKey)
  const speeds = speedsOf(
    [
      () => verify('sha384', message, p384.publicKey, ecdsa),
      () => verify(undefined, message, ed25519.publicKey, eddsa),
      () => sign(undefined, message, ed25519.privateKey),
      () => agree(recipient.publicKey),
    ],
    PACE,
  )
  const [p384Verify, edVerify, edSign, agreement] = speeds.map((speed) => 1 / speed) as [
    number,
    number,
    number,
    number,
  ]
  const request = 2 * p384Verify + edVerify + edSign
  return 1 / (request + objects * (p384Verify + agreement + edSign))
}

function agree(publicKey: KeyObject): Buffer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return diffieHellman({ privateKey, publicKey })
}
