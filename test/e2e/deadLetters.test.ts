/** What an operator does about a job that was set aside: list, show, retry. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { claimName, retryName } from '#core/job/attempt.ts'
import { jobIdOf } from '#core/job/job.ts'
import { ocidOf, STREAMS } from '#lab/demo/names.ts'
import { deadLetters, timesPublished } from './streamMessages.ts'
import {
  audit,
  ociOfProgram,
  type SystemUnderTest,
  startSystem,
  until,
  waitForLine,
} from './systemUnderTest.ts'

const WORKER = 'worker-1'
const STATE = { namespace: 'research', bucket: 'worker-state' }

let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: 1, partitions: 2 })
})
after(() => system?.close())

const command = (...parameters: readonly string[]) =>
  system.deployment.tryCommand([
    'dead-letters',
    ...parameters,
    '--config',
    system.deployment.configOf('dead-letters'),
  ])
const listed = async (...parameters: readonly string[]) => {
  const { exit, stdout, stderr } = await command('list', '--json', ...parameters)
  assert.equal(exit, 0, stderr)
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

/** Three workers die in the round. */
async function die(jobId: string, round: number) {
  const worker = await ociOfProgram(system, WORKER)
  const claim = Buffer.from(`${'a'.repeat(26)}/1/x`)
  for (const number of [1, 2, 3])
    await worker.objectStore().create({ ...STATE, name: claimName(jobId, round, number) }, claim)
  worker.close()
}

async function setAside(name: string) {
  const sealed = await system.seal(name)
  const ingesting = system.deployment.program('function')
  ingesting?.kill('SIGSTOP')
  const uploaded = await system.upload(sealed.file)
  const jobId = jobIdOf(uploaded)
  await die(jobId, 0)
  ingesting?.kill('SIGCONT')
  await waitForLine(system, 'ended', { jobId, code: 'job.exhausted' })
  return { jobId, object: uploaded.object }
}

test('a job that was set aside is listed, explained, retried, and has its result', async () => {
  const { jobId, object } = await setAside('retried')
  const [letter, ...more] = await listed()
  assert.deepEqual(more, [])
  assert.deepEqual(
    [letter.jobId, letter.state, letter.code, letter.attempts, letter.object.object, letter.round],
    [jobId, 'set-aside', 'job.exhausted', 3, object, 0],
  )
  assert.match((await command('list')).stdout, new RegExp(`^${jobId} +set-aside +job\\.exhausted +3 `, 'm'))
  const shown = await command('show', jobId)
  assert.match(shown.stdout, /^why +job\.exhausted: the job was tried three times/m)
  assert.match(shown.stdout, /^retries +0 of 9$/m)

  // The command stops between the round and the message.
  await system.deployment.control.arm({
    service: 'streaming',
    match: {
      method: 'POST',
      path: `/streams/${STREAMS.jobs}/messages`,
      principal: ocidOf('user', 'operator'),
    },
    status: 400,
    times: 1,
  })
  assert.notEqual((await command('retry', jobId)).exit, 0)
  assert.equal(await timesPublished(system, jobId), 1)
  assert.deepEqual(await listed(), [])
  assert.equal((await listed('--all'))[0]?.state, 'published')

  const again = await command('retry', jobId, '--json')
  assert.deepEqual(JSON.parse(again.stdout), { jobId, round: 1, begun: false })
  await waitForLine(system, 'ended', { jobId, outcome: 'visible' })

  assert.equal((await command('list')).stdout, 'no dead letters\n')
  const [overtaken] = await listed('--all')
  assert.deepEqual([overtaken.jobId, overtaken.state], [jobId, 'overtaken'])
  const refused = await command('retry', jobId)
  assert.equal(refused.exit, 1)
  assert.match(refused.stderr, /^error: job \w+ has a result by now: \w{64} \(job\.overtaken\)/)
  assert.equal(await timesPublished(system, jobId), 2)
})

test('a retried job that is set aside again may be retried again, but no more than nine times', async () => {
  const { jobId } = await setAside('again')
  const operator = system.deployment.ociAs('operator').objectStore()
  const begin = (round: number) => operator.create({ ...STATE, name: retryName(jobId, round) }, Buffer.of())
  await die(jobId, 1)
  assert.deepEqual(JSON.parse((await command('retry', jobId, '--json')).stdout), {
    jobId,
    round: 1,
    begun: true,
  })
  await until(system, 'the job is not set aside again', async () => endsOf(jobId).length === 2)
  const [letter] = await listed()
  assert.deepEqual([letter.jobId, letter.state, letter.round], [jobId, 'set-aside', 1])
  for (let round = 2; round <= 9; round++) await begin(round)
  const refused = await command('retry', jobId)
  assert.equal(refused.exit, 1)
  assert.match(refused.stderr, /was retried 9 times, the limit is 9 \(job\.spent\)/)
  assert.equal(await timesPublished(system, jobId), 2)
})

test('a message that was no job is listed, and cannot be retried', async () => {
  const worker = await ociOfProgram(system, WORKER)
  await worker.streamProducer({ streamId: STREAMS.jobs }).publish('x', Buffer.from('no job'))
  worker.close()
  const isMalformed = ({ code }: { readonly code: string }) => code === 'job.malformed'
  await until(system, 'it is not set aside', async () => (await deadLetters(system)).some(isMalformed))
  assert.deepEqual(
    (await listed()).filter(isMalformed).map(({ jobId, state, object }) => ({ jobId, state, object })),
    [{ jobId: null, state: 'no-job', object: null }],
  )
  const absent = await command('show', 'ab'.repeat(16))
  assert.equal(absent.exit, 1)
  assert.match(absent.stderr, /\(letter\.missing\)/)
  assert.equal((await command('retry', 'no-job')).exit, 2)
})

test('the evidence of all of it is intact', async () => {
  await audit(system)
})

function endsOf(jobId: string) {
  return system.linesOf(WORKER).filter((line) => line['msg'] === 'ended' && line['jobId'] === jobId)
}
