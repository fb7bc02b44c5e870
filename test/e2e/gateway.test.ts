/** A gateway that ends TLS stands between a worker and the Verifier, which asks for no certificate itself. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { jobIdOf } from '#core/job/job.ts'
import { verifierEntries } from '#lab/demo/counts.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { CLAIMED_ADDRESS, type Gateway, startGateway } from './gateway.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, waitForLine } from './systemUnderTest.ts'

const WORKER = 'worker-1'
const VERIFIER = 'verifier'

let system: SystemUnderTest
let gateway: Gateway
before(async () => {
  system = await startSystem({ workers: 1, reservationMs: 5000, endsWithProgram: false })
  const { deployment } = system
  const configOf = async (name: string) => JSON.parse(await readFile(deployment.configOf(name), 'utf8'))
  const restart = async (name: string, config: object) => {
    await deployment.program(name)?.stop()
    await writeFile(deployment.configOf(name), JSON.stringify(config))
    await deployment.start(name)
  }
  const [worker, verifier] = await Promise.all([WORKER, VERIFIER].map(configOf))
  const { cert, key, clientCa, clientCrl } = verifier.tls
  await restart(VERIFIER, { ...verifier, tls: { clientCertificates: 'at-gateway', cert, key } })
  const { urls, ca } = worker.verifier
  gateway = await startGateway(urls[0], { cert, key, ca: clientCa, crl: clientCrl, verifierCa: ca })
  await restart(WORKER, { ...worker, verifier: { ...worker.verifier, urls: [gateway.url] } })
})
after(async () => {
  gateway?.close()
  await system?.close()
})

test('a job gets its result through a gateway that speaks TLS 1.2 to the Verifier', async () => {
  const { file, headerDigest } = await system.seal('through-the-gateway')
  const jobId = jobIdOf(await system.upload(file))
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  assert.equal((await resultsOf(system, headerDigest)).length, 1)
  assert.deepEqual(await deadLetters(system), [])
  assert.deepEqual([...gateway.versions], ['TLSv1.2'])
})

test('the Verifier warns of its front door, and nothing that the gateway claims is told', async () => {
  assert.ok(system.linesOf(VERIFIER).some((line) => String(messageOf(line)).startsWith('at-gateway: ')))
  await audit(system)
  const entries = await Array.fromAsync(verifierEntries(system.deployment.folders.evidence))
  assert.ok(entries.some(({ event }) => event === 'release.issued'))
  assert.ok(!JSON.stringify([entries, system.linesOf(VERIFIER)]).includes(CLAIMED_ADDRESS))
})
