import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromUtf8, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { Findings } from '#core/evidence/audit/finding.ts'
import { readCheckpoints } from '#core/evidence/audit/log/checkpoints.ts'
import { Logs } from '#core/evidence/audit/log/logs.ts'
import { LogReplay } from '#core/evidence/audit/log/replay.ts'
import { LogSurvey } from '#core/evidence/audit/log/survey.ts'
import { computeHere } from '#core/evidence/audit/tasks.ts'
import { checkpointName } from '#core/evidence/checkpoint.ts'
import { formatVkey } from '#core/evidence/note.ts'
import { encodeBundle } from '#core/evidence/tile.ts'
import { type Log, newLog, readerOf, writeLog } from './logFiles.ts'

const entriesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => utf8(`entry ${from + i}`))
const textOf = (bytes: Buffer) => fromUtf8(bytes)
const grouped = (sizes: readonly number[]) => {
  let from = 0
  return sizes.map((count) => {
    from += count
    return entriesOf(count, from - count)
  })
}

async function replay({ boot, note: key }: Log, files: Map<string, Buffer>) {
  const findings = new Findings()
  const find = findings.of(boot)
  const entries: (string | undefined)[] = []
  const survey = new LogSurvey(boot, find)
  for (const name of [...files.keys()].sort()) survey.add(name.slice(boot.length + 1))
  const objects = readerOf(files)
  const checkpoints = await readCheckpoints({ boot, key, objects }, survey.sizes, {
    compute: computeHere,
    find,
  })
  const log = new LogReplay({ survey, checkpoints, objects }, find)
  for await (const batch of log.entries()) {
    assert.equal(batch.first, entries.length)
    for (const bytes of batch.entries) entries.push(bytes === undefined ? undefined : fromUtf8(bytes))
  }
  const { size, root, unsealed } = log
  return { size, root, unsealed, entries, findings: findings.list.map(({ code, index }) => [code, index]) }
}

test('a log over several tiles gives every entry once, in order', async () => {
  const log = newLog()
  const { entries, size, findings, unsealed } = await replay(
    log,
    writeLog(log, grouped([1, 255, 100, 300, 5])),
  )
  assert.deepEqual([size, unsealed, findings], [661, 0, []])
  assert.deepEqual(entries, entriesOf(661).map(textOf))
})

test('the entries of an altered bundle are read from a later copy', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([3, 2, 4]))
  files.set(`${log.boot}/tile/entries/000.p/5`, encodeBundle(entriesOf(5, 100)))
  const { entries, findings } = await replay(log, files)
  assert.deepEqual(findings, [['tile.altered', 0]])
  assert.deepEqual(entries, entriesOf(9).map(textOf))
})

test('the entries of an absent full bundle are lost, and the log continues after them', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([300, 10]))
  files.delete(`${log.boot}/tile/entries/000`)
  const { entries, findings } = await replay(log, files)
  assert.deepEqual(findings[0], ['tile.missing', null])
  assert.equal(findings.filter(([code]) => code === 'entry.lost').length, 256)
  assert.deepEqual(entries.slice(256), entriesOf(54, 256).map(textOf))
})

test('entries after the last checkpoint are an unsealed tail', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([250, 3, 10]))
  files.delete(`${log.boot}/${checkpointName(263)}`)
  const { size, unsealed, entries, findings } = await replay(log, files)
  assert.deepEqual([size, unsealed, entries.length, findings], [253, 10, 253, []])
})

test('a tail that does not begin with the sealed entries is altered', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([2]))
  files.set(`${log.boot}/tile/entries/000.p/4`, encodeBundle(entriesOf(4, 1)))
  const { size, unsealed, findings } = await replay(log, files)
  assert.deepEqual([size, unsealed, findings], [2, 2, [['tile.altered', 0]]])
})

test('a dropped checkpoint is found by the objects written for it', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([100, 500, 300]))
  files.delete(`${log.boot}/${checkpointName(600)}`)
  const { size, findings } = await replay(log, files)
  // tile/1/000.p/2 belongs to the same size 600 and is no finding of its own.
  assert.deepEqual([size, findings], [900, [['checkpoint.missing', 600]]])
})

test('a log without a checkpoint has no sealed entries', async () => {
  const log = newLog()
  const files = writeLog(log, grouped([2]))
  files.delete(`${log.boot}/${checkpointName(2)}`)
  const { size, unsealed, findings } = await replay(log, files)
  assert.deepEqual([size, unsealed, findings], [0, 2, []])
})

/** The report of the only log, by a boot that no one registered. */
async function auditAlone(files: Map<string, Buffer>, findings: Findings) {
  const registrations = new Map()
  const logs = new Logs(registrations)
  const objects = readerOf(files)
  await logs.read({ objects, role: 'worker', registrations, findings, compute: computeHere })
  return logs.reports[0]
}

// Entries that our own writer refuses to write, in a sealed log.
const opened = (boot: string) => ({
  v: 1,
  event: 'log.opened',
  time: 100,
  role: 'worker',
  boot,
  software: 's',
  simulation: false,
})
const closed = { v: 1, event: 'log.closed', time: 100, reason: 'drained' }
const cases: Record<
  string,
  readonly [(boot: string) => readonly unknown[], readonly (readonly unknown[])[]]
> = {
  'opening and closing': [(boot) => [opened(boot), closed], []],
  'time going back': [(boot) => [opened(boot), { ...closed, time: 99 }], [['time.backwards', 1]]],
  'an entry after the end': [(boot) => [opened(boot), closed, closed], [['log.order', 2]]],
  'no opening': [() => [closed], [['log.order', 0]]],
  'two openings': [(boot) => [opened(boot), opened(boot)], [['log.order', 1]]],
  'the opening of another log': [() => [opened('a'.repeat(26))], [['log.order', 0]]],
  'the opening of a Verifier': [(boot) => [{ ...opened(boot), role: 'verifier' }], [['log.order', 0]]],
  'an unknown event': [
    (boot) => [opened(boot), { ...closed, event: 'log.paused' }],
    [['entry.malformed', 1]],
  ],
  'an unknown field': [(boot) => [opened(boot), { ...closed, patient: 'x' }], [['entry.malformed', 1]]],
}

for (const [name, [entries, expected]] of Object.entries(cases))
  test(`a log with ${name}`, async () => {
    const log = newLog()
    const files = writeLog(log, [entries(log.boot).map(canonicalBytes)])
    files.set(`${log.boot}/key`, utf8(`${formatVkey(log.note)}\n`))
    const findings = new Findings()
    const report = await auditAlone(files, findings)
    assert.deepEqual(
      findings.list.map(({ code, index }) => [code, index]),
      expected,
    )
    assert.equal(report?.registered, false)
  })

test('an entry that is not canonical is malformed', async () => {
  const log = newLog()
  const text = JSON.stringify(opened(log.boot), null, 1)
  const files = writeLog(log, [[utf8(text)]])
  files.set(`${log.boot}/key`, utf8(`${formatVkey(log.note)}\n`))
  const findings = new Findings()
  await auditAlone(files, findings)
  assert.deepEqual(
    findings.list.map(({ code }) => code),
    ['entry.malformed'],
  )
})
