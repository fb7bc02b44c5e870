/** Each invariant of the judge turns red on a world that breaks it, and only that one. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Forged, forge, message, state, writeWorld } from './forge.ts'
import { judge, judgeMeanwhile } from './judge.ts'
import type { Violation } from './world.ts'

async function judged(
  t: TestContext,
  break_: (forged: Forged) => void,
  by = judge,
): Promise<readonly Violation[]> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-oracle-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const forged = forge()
  break_(forged)
  return await by(await writeWorld(forged, folder))
}

test('a world in which everything holds has no violation, also if it is judged meanwhile', async (t) => {
  assert.deepEqual(await judged(t, () => {}), [])
  assert.deepEqual(await judged(t, () => {}, judgeMeanwhile), [])
})

const entry = (log: Forged['worker'], event: string) => {
  const found = log.entries.find(({ fields }) => fields['event'] === event)
  assert.ok(found)
  return found
}
const without = (log: Forged['worker'], event: string) => {
  log.entries = log.entries.filter(({ fields }) => fields['event'] !== event)
}
const letter = (jobId: string, code: string, time: number) => ({
  ...message('dead-letters', 0, 1, { jobId, code }),
  time,
})
const removeObject = (forged: Forged, name: string) => {
  forged.objects = forged.objects.filter((object) => object.name !== name)
}
const expectation = (forged: Forged, index: number, result: boolean, ...deadLetter: readonly string[]) => {
  const upload = forged.uploads[index]
  assert.ok(upload)
  forged.uploads[index] = { ...upload, expected: { result, deadLetter } }
}

const DEK = Buffer.from(`${'f'.repeat(62)}07`, 'hex')

type Broken = readonly [what: string, invariants: readonly string[], (forged: Forged) => void]
const BROKEN: readonly Broken[] = [
  [
    'an object without an end',
    ['object.unended', 'offset.passed'],
    (forged) => {
      forged.streams = forged.streams.filter(({ stream }) => !String(stream).endsWith('dead-letters'))
    },
  ],
  [
    'a dead letter for a reason that is not permitted',
    ['object.set-aside'],
    (forged) => expectation(forged, 1, false),
  ],
  ['a result that may not be', ['object.unexpected-result'], (forged) => expectation(forged, 0, false)],
  [
    'a dead letter after the result',
    ['object.both'],
    (forged) => {
      expectation(forged, 0, true, 'job.exhausted')
      forged.streams.push(letter('a', 'job.exhausted', 1501))
    },
  ],
  [
    'two dead letters for two reasons',
    ['object.set-aside-twice'],
    (forged) => {
      expectation(forged, 1, false, 'object.unsigned', 'job.exhausted')
      forged.streams.push(letter('b', 'job.exhausted', 1501))
    },
  ],
  [
    'a result without a decision',
    ['result.unfounded', 'key.unfounded'],
    ({ verifier }) => without(verifier, 'release.decided'),
  ],
  ['a result without a grant', ['result.unfounded'], ({ verifier }) => without(verifier, 'release.issued')],
  [
    'a result of another grant',
    ['result.unfounded'],
    ({ manifest }) => {
      manifest.fields['grantDigest'] = 'another'
    },
  ],
  [
    'a result without a receipt',
    ['result.unfounded'],
    ({ worker, manifest }) => {
      without(worker, 'key.received')
      manifest.fields['intentIndex'] = 1
    },
  ],
  [
    'a result without an announcement',
    ['result.unfounded'],
    ({ worker }) => without(worker, 'result.intent'),
  ],
  [
    'a result before its announcement is durable',
    ['result.unfounded'],
    ({ worker }) => {
      entry(worker, 'result.intent').at = 1501
    },
  ],
  [
    'a grant that is durable only after its receipt',
    ['result.unfounded'],
    ({ verifier }) => {
      entry(verifier, 'release.issued').at = 1301
    },
  ],
  [
    'a result of objects that nobody decided about',
    ['result.unfounded', 'key.unfounded'],
    ({ verifier }) => {
      entry(verifier, 'release.decided').fields['headerDigests'] = ['another']
    },
  ],
  [
    'a result that another boot has signed',
    ['result.unfounded'],
    ({ manifest, verifier }) => {
      manifest.fields['boot'] = verifier.boot
    },
  ],
  [
    'an altered entry',
    ['log.broken'],
    ({ worker, alter }) => {
      worker.entries.push({ fields: { event: 'result.visible' }, at: 1600 })
      alter.push((name, bytes) => {
        if (name === `${worker.boot}/tile/entries/000.p/4`) bytes.write('X', bytes.byteLength - 4)
      })
    },
  ],
  [
    'a checkpoint that another key has signed',
    ['log.broken'],
    (forged) => {
      forged.worker = { ...forged.worker, noteKey: forged.verifier.noteKey }
    },
  ],
  [
    'a log under another name',
    ['log.broken', 'result.unfounded'],
    ({ worker, verifier, alter }) => {
      alter.push((name, bytes) => {
        if (name === `${worker.boot}/key`)
          bytes.write(verifier.publicKey.toString('base64'), bytes.byteLength - 44)
      })
    },
  ],
  [
    'a key that is opened before the decision is durable',
    ['key.unfounded'],
    ({ verifier }) => {
      entry(verifier, 'release.decided').at = 1101
    },
  ],
  [
    'a key of an object that nobody decided about',
    ['key.unfounded'],
    ({ decryptions }) => {
      decryptions.push({ time: 1100, associatedData: { sealId: 'seal-b' } })
    },
  ],
  [
    'an offset beyond a job without an end',
    ['offset.passed'],
    ({ streams }) => {
      streams.unshift(message('jobs', 0, 0, { jobId: 'c' }))
    },
  ],
  [
    'a fourth attempt after three that count',
    ['attempt.beyond'],
    ({ objects, worker, verifier }) => {
      objects.push(
        state('attempt/b/0/2/claim', `${verifier.boot}/1/00`),
        state('attempt/b/0/3/claim', `${verifier.boot}/1/00`),
        state('attempt/b/0/4/claim', `${worker.boot}/1/00`),
      )
    },
  ],
  [
    'done without a result',
    ['done.without-result'],
    ({ objects }) => objects.push(state('done/b', '0'.repeat(64))),
  ],
  [
    'a canary in a log',
    ['leak'],
    ({ logs }) => {
      logs['worker-1'] += '{"msg":"hello Mustermann"}\n'
    },
  ],
  ...(['hex', 'base64', 'base64url', 'latin1'] as const).map(
    (encoding): Broken => [
      `a data key in a log, in ${encoding}`,
      ['leak'],
      ({ uploads, logs }) => {
        const [upload] = uploads
        if (upload !== undefined) uploads[0] = { ...upload, dek: DEK }
        // A raw key is no text.
        logs['worker-2'] = Buffer.from(`key ${DEK.toString(encoding)} of`, 'latin1')
      },
    ],
  ),
  ['a canary in the name of an object', ['leak'], ({ objects }) => objects.push(state('Mustermann', ''))],
  [
    'a canary in a message',
    ['leak'],
    ({ streams }) =>
      streams.push(
        message('dead-letters', 0, 9, { jobId: 'b', code: 'object.unsigned', message: 'Mustermann' }),
      ),
  ],
]

for (const [what, invariants, break_] of BROKEN)
  test(`${what}: ${invariants.join(', ')}`, async (t) => {
    const violations = await judged(t, break_)
    assert.deepEqual(
      [...new Set(violations.map(({ invariant }) => invariant))].sort(),
      [...invariants].sort(),
    )
  })

const WHOLE: readonly (readonly [what: string, (forged: Forged) => void])[] = [
  [
    'a dead letter before the result is overtaken',
    (forged) => {
      expectation(forged, 0, true, 'job.exhausted')
      forged.streams.push(letter('a', 'job.exhausted', 1499))
    },
  ],
  [
    'a committed message with a later copy',
    (forged) => {
      forged.streams.unshift(message('jobs', 0, 0, { jobId: 'c' }))
      forged.streams.push(message('jobs', 1, 7, { jobId: 'c' }))
    },
  ],
  [
    'four attempts of one boot that lives',
    ({ objects, worker }) => {
      for (const number of [2, 3, 4, 5])
        objects.push(state(`attempt/a/0/${number}/claim`, `${worker.boot}/1/00`))
    },
  ],
  [
    'a fourth attempt in a new round',
    ({ objects, worker, verifier }) => {
      for (const number of [2, 3]) objects.push(state(`attempt/b/0/${number}/claim`, `${verifier.boot}/1/00`))
      objects.push(state('attempt/b/1/4/claim', `${worker.boot}/1/00`))
    },
  ],
]
for (const [what, change] of WHOLE)
  test(`${what} is no violation`, async (t) => assert.deepEqual(await judged(t, change), []))

test('a done object alone finishes a job that no upload names', async (t) => {
  const violations = await judged(t, (forged) => {
    forged.uploads = forged.uploads.filter(({ name }) => name !== 'a')
  })
  assert.deepEqual(violations, [])
  const unfinished = await judged(t, (forged) => {
    forged.uploads = forged.uploads.filter(({ name }) => name !== 'a')
    removeObject(forged, 'done/a')
  })
  assert.deepEqual(
    unfinished.map(({ invariant, subject }) => ({ invariant, subject })),
    [{ invariant: 'offset.passed', subject: 'partition 0, offset 0' }],
  )
})

test('the judge imports only node and itself', async () => {
  const folder = import.meta.dirname
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.ts')) continue
    const source = await readFile(join(folder, file), 'utf8')
    for (const [, from = ''] of source.matchAll(/^(?:import .*|export .*|} )from '([^']+)'/gm))
      assert.match(from, /^(node:|\.\.?\/[a-zA-Z]+\.ts$|\.\/invariants\/[a-z]+\.ts$)/, file)
  }
})
