/**
 * A program for the tests: `askDevice.ts COUNT [together]` asks the device COUNT times, one request after the
 * other, or all at once with `together`. It prints one line of JSON per request.
 */
import { openDevice } from '#adapters/sev/device.ts'
import { SevFault } from '#adapters/sev/fault.ts'
import { createFirmwareSource } from '#adapters/sev/firmware.ts'
import { toHex } from '#core/bytes.ts'
import { virtualClock } from '../clock.ts'
import { linesOf } from '../log.ts'

const [count = '1', mode] = process.argv.slice(2)
const { log, lines } = linesOf()
const device = openDevice({ path: '/dev/null', clock: virtualClock(), log })
/** Returns the host's certificates unchanged. */
const endorsements = { certsFor: async (_report: Buffer, brought: readonly Buffer[]) => brought }
const source = createFirmwareSource(device, { log, endorsements })

async function askForReport(index: number): Promise<object> {
  const { report, certs } = await source.getReport(Buffer.alloc(64, index + 1))
  return { report: toHex(report), certs: certs.map(toHex) }
}

async function ask(index: number): Promise<object> {
  try {
    return await askForReport(index)
  } catch (error) {
    if (!(error instanceof SevFault)) throw error
    const { code, message, errno, fwError, vmmError } = error
    return { code, message, numbers: [errno, fwError, vmmError] }
  }
}

/** Measures the longest time that the event loop was blocked, as a fraction of the whole. */
async function watchLoop(work: () => Promise<object>): Promise<object> {
  const start = performance.now()
  let last = start
  let held = 0
  const tick = () => {
    const now = performance.now()
    held = Math.max(held, now - last)
    last = now
  }
  const timer = setInterval(tick, 5)
  const answer = await work()
  tick()
  clearInterval(timer)
  return { ...answer, heldRatio: held / (last - start) }
}

const print = (index: number, answer: object) =>
  console.log(JSON.stringify({ index, ...answer, lost: source.lost()?.message, log: lines.splice(0) }))
const indices = Array.from({ length: Number(count) }, (_, index) => index)
if (mode === 'together') {
  await Promise.all(indices.map(async (index) => print(index, await ask(index))))
} else {
  for (const index of indices) print(index, await watchLoop(() => ask(index)))
}
