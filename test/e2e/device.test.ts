/**
 * A worker that gets its reports from the device. The driver is the tests' fake, the simulated processor
 * signs, and the certificate comes from the simulated key distribution service.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { EmulatorReady } from '#lab/demo/launcher.ts'
import { type LogLine, messageOf, parseLine } from '#lab/demo/logLine.ts'
import { buildFakeDevice } from '../native/fakeDevice.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem } from './systemUnderTest.ts'

const WORKER = fileURLToPath(new URL('../../src/worker/main.ts', import.meta.url))
const HOOK = fileURLToPath(new URL('../../lab/amd/hook.ts', import.meta.url))
const NAME = 'worker-1'
const device = buildFakeDevice()
const skip = typeof device === 'string' ? device : false

let system: SystemUnderTest
let config: string
let hook: string
before(async () => {
  if (skip !== false) return
  system = await startSystem({ workers: 1 })
  await system.deployment.program(NAME)?.stop()
  const { amdFolder, kds } = EmulatorReady.parse(
    system.linesOf('emulator').find((line) => messageOf(line) === 'ready'),
  )
  const { folders, configOf } = system.deployment
  const endorsements = { folder: join(folders.root, 'endorsements'), kds: { url: kds } }
  const given = JSON.parse(await readFile(configOf(NAME), 'utf8'))
  config = join(folders.config, 'device.json')
  await writeFile(
    config,
    JSON.stringify({ ...given, attestation: { source: 'device', path: '/dev/null', endorsements } }),
  )
  hook = `"${process.execPath}" "${HOOK}" "${amdFolder}" ${NAME}`
})
after(async () => {
  await system?.close()
  if (typeof device !== 'string') device.remove()
})

/** Runs the worker on a device that gives `answers`. Returns its exit code, its output and its log. */
async function work(answers: string, ...parameters: readonly string[]) {
  assert.ok(typeof device !== 'string')
  const command = [process.execPath, ...nodeOptionsFor('src/worker/main.ts'), WORKER, '--config', config]
  const { exitCode, stdout, stderr } = await device.run(answers, [...command, ...parameters], { hook })
  const lines = stderr.split('\n').flatMap((text): LogLine[] => {
    const line = parseLine(text)
    return line === undefined ? [] : [line]
  })
  return { exitCode, stdout, say: (message: string) => lines.find((line) => messageOf(line) === message) }
}

test('a worker whose guest key is lost ends before it takes a job; the next one finishes the job', {
  skip,
  timeout: 120_000,
}, async () => {
  const sealed = await system.seal('by-the-device')
  const uploaded = await system.upload(sealed.file)
  const jobId = jobIdOf(uploaded)

  // The host throttles until the driver gives up. After that the device never answers again.
  const lost = await work('busy,ok')
  assert.equal(lost.exitCode, 75)
  assert.equal(lost.say('leased'), undefined)
  const { code, source, errno, fwError, vmmError } = lost.say('attestation lost') ?? {}
  assert.deepEqual([code, source, errno, fwError, vmmError], ['sev.lost', 'device', 110, 0, 2])
  assert.equal(lost.say('failed')?.['code'], 'sev.lost')
  assert.deepEqual(await resultsOf(system, sealed.headerDigest), [])

  const file = join(system.deployment.folders.config, 'device.job.json')
  await writeFile(
    file,
    JobFormat.encode({
      v: 1,
      jobId,
      eventId: 'by-hand',
      namespace: uploaded.namespace,
      bucket: uploaded.bucket,
      object: uploaded.object,
      etag: uploaded.etag,
      size: 5000,
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      enqueuedAt: 1,
      notBefore: 0,
    }),
  )
  const done = await work('ok', '--job', file)
  assert.equal(done.exitCode, 0, done.stdout)
  assert.equal(JSON.parse(done.stdout).outcome, 'visible')
  assert.equal(done.say('attestation source')?.['source'], 'device')
  assert.equal((await resultsOf(system, sealed.headerDigest)).length, 1)

  await audit(system)
})
