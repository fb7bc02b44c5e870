/**
 * A program for the tests: asks the device source as often as its argument says, one request after the other, or all
 * at once with `together`, and prints one line of JSON for each. `askDevice.ts FOLDER COUNT [together]`
 */
import { createDeviceSource } from '#adapters/sev/device.ts'
import { codeOf } from '#core/errors.ts'

const [endorsements = '', count = '1', mode] = process.argv.slice(2)
const source = createDeviceSource({ path: '/dev/null', endorsements })

async function ask(index: number): Promise<object> {
  const reportData = Buffer.alloc(64, index + 1)
  try {
    const { report, certs } = await source.getReport(reportData)
    return { index, report: report.toString('hex'), certs: certs.map((cert) => cert.toString('hex')) }
  } catch (error) {
    return { index, code: codeOf(error), message: error instanceof Error ? error.message : '' }
  }
}

/** How long the loop was held at a stretch, in parts of the whole time. */
async function askAndWatchLoop(index: number): Promise<object> {
  const start = performance.now()
  let last = start
  let held = 0
  const tick = () => {
    const now = performance.now()
    held = Math.max(held, now - last)
    last = now
  }
  const timer = setInterval(tick, 5)
  const answer = await ask(index)
  tick()
  clearInterval(timer)
  return { ...answer, heldRatio: held / (last - start) }
}

const indices = Array.from({ length: Number(count) }, (_, index) => index)
if (mode === 'together') {
  await Promise.all(indices.map(async (index) => console.log(JSON.stringify(await ask(index)))))
} else {
  for (const index of indices) console.log(JSON.stringify(await askAndWatchLoop(index)))
}
