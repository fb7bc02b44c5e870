import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { auditFolder } from '#adapters/evidence/folderAudit.ts'
import { auditEventOf } from '#cli/evidence/query/auditEvent.ts'
import { FactBook } from '#cli/evidence/query/facts.ts'
import { filterOf, type QueryOptions } from '#cli/evidence/query/filter.ts'
import type { AnyLogged } from '#core/evidence/audit/log/log.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { writeWholeCollection } from '../../core/evidence/wholeCollection.ts'
import { cli, expectFailure } from '../process.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-query-'))
after(() => rm(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const { boots, releases, made, refusal } = await writeWholeCollection(whole)
const trust = join(whole, 'trust.json')

const logged: AnyLogged[] = []
await auditFolder(whole, { trust, simulation: true, onEntry: (one) => logged.push(one) })

function matching(options: QueryOptions): readonly AnyLogged[] {
  const facts = new FactBook()
  const isAsked = filterOf(options)
  return logged.filter((one) => isAsked(one.entry, facts.of(one)))
}
const events = (options: QueryOptions) => matching(options).map(({ entry }) => entry.event)

test('without a condition every entry of a registered log matches', () => {
  assert.equal(matching({}).length, logged.length)
  assert(logged.length > 40)
})

test('a release has all its entries, of both logs, by its id', () => {
  assert.deepEqual(events({ id: releases.first.releaseId }), [
    'release.decided',
    'release.issued',
    'key.received',
    'result.intent',
    'result.visible',
  ])
  assert.deepEqual(events({ id: made.resultId }), ['result.intent', 'result.visible'])
})

test('an entry has the client, dataset, permission and trace of the decision that it follows from', () => {
  const asked = {
    client: 'research',
    dataset: 'cohort',
    permission: 'cohort-research',
    trace: releases.first.traceparent,
  }
  assert.deepEqual(
    events({ ...asked, id: releases.first.releaseId }),
    events({ id: releases.first.releaseId }),
  )
  for (const [kind, value] of Object.entries({
    client: 'other',
    dataset: 'shared',
    permission: 'x',
    trace: 'f'.repeat(32),
  }))
    assert.deepEqual(events({ id: releases.first.releaseId, [kind]: value }), [], kind)
  const returned = { event: 'job.returned', client: 'research', dataset: 'cohort' }
  assert.deepEqual(events(returned), ['job.returned'])
})

test('reasons are found in every entry that has them', () => {
  assert.deepEqual(events({ code: 'guest-policy.debug' }), ['worker.refused'])
  assert.deepEqual(events({ code: 'service.unavailable' }), ['release.failed', 'job.failed', 'job.returned'])
  assert.deepEqual(events({ code: 'nonce.expired' }), ['requests.refused', 'requests.refused'])
})

test('a boot matches by its own log and in the log of others', () => {
  const { boot } = boots.dead
  const found = matching({ boot })
  assert(found.some((one) => one.boot === boot) && found.some((one) => one.boot !== boot))
  assert.deepEqual(events({ boot, event: 'boot.registered' }), ['boot.registered'])
})

test('times include their beginning and exclude their end', () => {
  const times = logged.map(({ entry }) => entry.time)
  const textOf = (time: number) => toRfc3339(toUnixSeconds(time))
  const [first, last] = [textOf(Math.min(...times)), textOf(Math.max(...times))]
  assert.equal(
    matching({ from: first, to: last }).length,
    times.filter((time) => time < Math.max(...times)).length,
  )
  assert.equal(matching({ to: first }).length, 0)
})

for (const [options, message] of [
  [{ from: 'yesterday' }, /^--from is not a UTC time/],
  [{ to: '2026-01-01' }, /^--to is not a UTC time/],
  [{ event: 'log' }, /^--event: there is no event log/],
] as const)
  test(`a wrong condition is a usage error: ${JSON.stringify(options)}`, () => {
    assert.throws(() => filterOf(options), { code: 'usage.invalid', message })
  })

test('every entry becomes an AuditEvent with what R4 demands', () => {
  const facts = new FactBook()
  const ids = new Set<string>()
  for (const one of logged) {
    const event = JSON.parse(JSON.stringify(auditEventOf(one, facts.of(one))))
    assert.equal(event.resourceType, 'AuditEvent')
    assert.match(event.id, /^[A-Za-z0-9.-]{1,64}$/)
    assert.match(event.recorded, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.match(event.type.code, /^1101\d\d$/)
    assert.equal(event.subtype[0].code, one.entry.event)
    assert(['0', '4'].includes(event.outcome) && ['C', 'R', 'E'].includes(event.action))
    assert.equal(event.agent.filter(({ requestor }: { requestor: boolean }) => requestor).length, 1)
    assert.equal(event.source.observer.identifier.value, one.boot)
    for (const { what } of event.entity)
      assert.match(what.identifier.system, /^urn:confidential-worker:[a-z]+$/)
    ids.add(event.id)
  }
  assert.equal(ids.size, logged.length)
})

test('a refusal says who, for what and why', () => {
  const facts = new FactBook()
  const found = logged
    .map((one) => ({ one, known: facts.of(one) }))
    .find(({ one }) => one.entry.event === 'worker.refused')
  assert(found !== undefined)
  const event = JSON.parse(JSON.stringify(auditEventOf(found.one, found.known)))
  assert.deepEqual([event.outcome, event.outcomeDesc], ['4', 'guest-policy.debug'])
  assert.equal(event.purposeOfEvent[0].coding[0].code, 'HRESCH')
  assert.deepEqual(event.agent[0].who.identifier, {
    system: 'urn:confidential-worker:client',
    value: 'research',
  })
  const detail = event.entity.at(-1).detail as { type: string; valueString: string }[]
  assert.equal(detail.find(({ type }) => type === 'denialId')?.valueString, refusal.denialId)
})

test('the command prints lines, JSON or FHIR, and exits 1 unless the evidence is intact', async () => {
  const query = ['evidence', 'query', whole, '--trust', trust, '--id', releases.first.releaseId]
  const lines = await cli(...query, '--simulation')
  assert.deepEqual([lines.code, lines.stderr, lines.stdout.split('\n').length], [0, '', 6])
  assert.match(
    lines.stdout,
    new RegExp(
      `^2027-\\S+ \\S+ UTC  ${boots.verifier.boot}/\\d+  release.decided  .*releaseId=${releases.first.releaseId}`,
    ),
  )
  const json = await cli(...query, '--simulation', '--json')
  const parsed = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    parsed.map(({ entry }) => entry.event),
    events({ id: releases.first.releaseId }),
  )
  const fhir = await cli(...query, '--simulation', '--fhir')
  assert(
    fhir.stdout
      .trimEnd()
      .split('\n')
      .every((line) => JSON.parse(line).resourceType === 'AuditEvent'),
  )

  const broken = await cli(...query)
  assert.equal(broken.code, 1)
  assert.equal(broken.stdout, lines.stdout)
  assert.match(broken.stderr, /^warning: the evidence is broken; "evidence verify" says why\n$/)
  expectFailure(await cli(...query, '--json', '--fhir'), 'usage.invalid', 2)
})
