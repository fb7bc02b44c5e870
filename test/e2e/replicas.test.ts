/**
 * Two replicas of the Verifier as one deployment end to end, behind a TCP balancer or at two addresses that each
 * worker knows. One is killed while workers ask: every object has its one result, and the evidence is intact.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { jobIdOf } from '#core/job/job.ts'
import { messageOf } from '#lab/demo/logLine.ts'
import { verifierName } from '#lab/demo/names.ts'
import { deadLetters } from './streamMessages.ts'
import { audit, resultsOf, type SystemUnderTest, startSystem, until, waitForLine } from './systemUnderTest.ts'

const OBJECTS = 12
const KILLED = verifierName(0)
const WORKERS = ['worker-1', 'worker-2']
/** A balancer gives the replica a turn long before. */
const MOST_BEFORE = 24

for (const balanced of [true, false])
  suite(balanced ? 'behind a balancer' : 'at two addresses', () => {
    let system: SystemUnderTest
    before(async () => {
      const workers = WORKERS.length
      system = await startSystem({
        workers,
        verifiers: 2,
        balanced,
        reservationMs: 3000,
        endsWithProgram: false,
      })
    })
    after(() => system?.close())

    test('one of two replicas is killed under load: each object has its one result', async () => {
      const { deployment } = system
      assert.equal(deployment.balancer !== undefined, balanced)
      const sent: { readonly jobId: string; readonly headerDigest: string }[] = []
      const send = async (): Promise<string> => {
        const { file, headerDigest } = await system.seal(`load-${sent.length}`)
        const jobId = jobIdOf(await system.upload(file))
        sent.push({ jobId, headerDigest })
        return jobId
      }
      const ended = (jobId: string) => waitForLine(system, 'ended', { jobId, outcome: 'visible' })
      while ((await issuedBy(system, KILLED)) === 0) {
        assert.ok(sent.length < MOST_BEFORE, 'the replica to be killed has released nothing')
        await ended(await send())
      }
      for (let at = 0; at < OBJECTS; at += 1) {
        await send()
        if (at !== OBJECTS / 3) continue
        deployment.program(KILLED)?.kill('SIGKILL')
        await until(system, 'the replica still runs', async () => system.pid(KILLED) === undefined)
      }
      for (const { jobId } of sent) await ended(jobId)
      for (const { headerDigest } of sent) assert.equal((await resultsOf(system, headerDigest)).length, 1)
      assert.deepEqual(await deadLetters(system), [])
      const said = WORKERS.flatMap((worker) => system.linesOf(worker).map(messageOf))
      assert.ok(!said.includes('refused'))
      assert.ok(balanced || said.includes('Verifier address rests'))
    })

    test('the next boot of the killed replica tells what was left, and the evidence is intact', async () => {
      await system.deployment.start(KILLED)
      // A release without an end gets one when the log of the dead boot has stood still for two deadlines.
      await until(system, 'the evidence is not intact', () =>
        audit(system).then(
          () => true,
          () => false,
        ),
      )
      await audit(system)
    })
  })

/** Jobs for which the running replica gave a key. */
async function issuedBy({ deployment }: SystemUnderTest, verifier: string): Promise<number> {
  const metrics = await deployment.metricsOf(verifier)
  return Number(/^cw_verifier_releases_total\{outcome="issued",code=""\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}
