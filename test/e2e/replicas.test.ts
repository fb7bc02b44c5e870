/**
 * Two replicas of the Verifier behind a TCP balancer, as one deployment end to end. One is killed while workers
 * ask: every object has its one result, and the evidence is intact.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { jobIdOf } from '#core/job/job.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { verifierName } from '#lab/demo/names.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const OBJECTS = 12
const KILLED = verifierName(0)

let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: 2, verifiers: 2, reservationMs: 3000, endsWithProgram: false })
})
after(() => system?.close())

test('one of two replicas is killed under load: each object has its one result', async () => {
  const { deployment } = system
  const sealed = await Promise.all(Array.from({ length: OBJECTS }, (_, at) => system.seal(`load-${at}`)))
  const jobIds: string[] = []
  for (const [at, { file }] of sealed.entries()) {
    jobIds.push(jobIdOf(await system.upload(file)))
    if (at !== OBJECTS / 3) continue
    await waitForLine(system, 'released', { jobId: jobIds[0] })
    deployment.program(KILLED)?.kill('SIGKILL')
    await until(system, 'the replica still runs', async () => system.pid(KILLED) === undefined)
  }
  for (const jobId of jobIds) await waitForLine(system, 'ended', { jobId, outcome: 'visible' })
  for (const { headerDigest } of sealed) assert.equal((await resultsOf(system, headerDigest)).length, 1)
  assert.deepEqual(await deadLetters(system), [])
  for (const worker of ['worker-1', 'worker-2'])
    assert.ok(!system.linesOf(worker).some((line) => messageOf(line) === 'refused'))
})

test('the next boot of the killed replica tells what was left, and the evidence is intact', async () => {
  await system.deployment.start(KILLED)
  await audit(system)
})
