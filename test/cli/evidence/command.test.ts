import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { auditFolder } from '#adapters/evidence/folderAudit.ts'
import { renderEvidence } from '#cli/evidence/text.ts'
import { thumbprint } from '#core/jwk.ts'
import { auditKey, providerRoot } from '../../core/evidence/collectionBuilder.ts'
import { writeWholeCollection } from '../../core/evidence/wholeCollection.ts'
import { cli, expectFailure } from '../process.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-cli-evidence-'))
after(() => rm(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const written = await writeWholeCollection(whole)
const trust = join(root, 'pin.json')
await copyFile(join(whole, 'trust.json'), trust)
const intact = await auditFolder(whole, { trust, simulation: true })
const text = renderEvidence(intact)

test('an intact collection exits 0; simulated evidence without --simulation exits 1', async () => {
  const [accepted, refused] = await Promise.all([
    cli('evidence', 'verify', whole, '--trust', trust, '--simulation'),
    cli('evidence', 'verify', whole, '--trust', trust),
  ])
  assert.deepEqual(accepted, { code: 0, stdout: text, stderr: '' })
  assert.deepEqual([refused.code, refused.stderr], [1, ''])
  assert.match(refused.stdout, /^BROKEN /)
  assert.match(refused.stdout, /broken +evidence\.simulated: /)
})

test('the verdict comes first, with its limits beside it', () => {
  const [first = '', second = '', third = '', fourth = ''] = text.split('\n')
  assert.match(first, /^INTACT /)
  assert.match(second, /^SIMULATED /)
  assert.match(third, /^witnessed /)
  assert.equal(fourth, '10 allowed, 1 refused, 0 findings')
})

test('under a pin that came with the collection, nothing is intact: exit 1', async () => {
  const [key] = providerRoot.keys
  assert(key !== undefined)
  const { code, stdout } = await cli('evidence', 'verify', whole, '--simulation')
  assert.equal(code, 1)
  assert.match(stdout, /^CONSISTENT +under a root that you have not confirmed/)
  assert(stdout.includes('The root came with the collection. Compare these thumbprints'))
  assert(stdout.includes(`${thumbprint(key.jwk)}  ada`))
  assert(!text.includes('came with the collection'))
})

test('a person cannot overwrite a thumbprint on the terminal', async () => {
  const [ada, ben] = providerRoot.keys
  const forged = join(root, 'forged.json')
  const pin = JSON.parse(await readFile(trust, 'utf8'))
  const person = `\r  ${'A'.repeat(43)}  ada`
  await writeFile(
    forged,
    JSON.stringify({ ...pin, providerRoot: { threshold: 2, keys: [{ ...ada, person }, ben] } }),
  )
  await assert.rejects(auditFolder(whole, { trust: forged, simulation: true }), { code: 'input.unreadable' })
})

// Whatever a schema lets through: a line of the report is one line of plain text.
for (const hostile of ['\r', '\n', '\u001b[2J', '\u009b2J', '\u202e', '\u2028', '\u0000', '\ud800'])
  test(`${JSON.stringify(hostile)} in any text of a report is replaced`, () => {
    const [key, ...keys] = intact.trust.keys
    const [log, ...logs] = intact.logs
    assert(key !== undefined && log !== undefined)
    const shown = renderEvidence({
      ...intact,
      logs: [{ ...log, boot: `${log.boot}${hostile}` }, ...logs],
      trust: { ...intact.trust, keys: [{ ...key, person: `ada${hostile}` }, ...keys] },
    })
    assert.equal(shown.split('\n').length, text.split('\n').length)
    assert(shown.includes(`${key.thumbprint}  ada?`))
    assert(shown.includes(`${log.boot}?`))
  })

test('--json is ASCII', async () => {
  const { stdout } = await cli('evidence', 'verify', whole, '--trust', trust, '--simulation', '--json')
  assert.match(stdout, /^[\x20-\x7e]*\n$/)
  assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(intact)))
})

test('every release shows how it ended', () => {
  const { boots, releases, made } = written
  for (const line of [
    `result ${made.resultId.slice(0, 10)} visible`,
    `abandoned by boot ${boots.dead.boot.slice(0, 10)}, finished by release ${releases.again.releaseId.slice(0, 10)}`,
    `never acknowledged by boot ${boots.alive.boot.slice(0, 10)}, finished by release ${releases.again.releaseId.slice(0, 10)}`,
    `abandoned by boot ${boots.dead.boot.slice(0, 10)}, job set aside`,
    'existed already',
    'withheld (service.unavailable)',
    'job failed (workload.failed), set aside',
    'workload.failed after 1 attempt\n',
    'job.exhausted after 3 attempts\n',
    'job returned (service.unavailable)',
    '6 x nonce.expired, before authentication',
    'not registered',
  ])
    assert(text.includes(line), line)
})

test('a job that was set aside and has a result by now is shown as overtaken', async () => {
  const report = await auditFolder(whole, { trust, simulation: true })
  const [job] = report.setAside
  assert(job !== undefined)
  const setAside = [{ ...job, overtakenBy: 'ab'.repeat(32) }]
  assert(
    renderEvidence({ ...report, setAside }).includes('after 1 attempt, overtaken by result ababababab\n'),
  )
})

test('control characters that a requester chose are replaced', () => {
  assert(text.includes('guest-policy.debug: guestPolicy.debug is set?[2J, expected clear'))
  assert(!text.includes('\u001b'))
})

test('a report is plain JSON', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(intact)), intact)
})

test('evidence report writes a page once, with exit code 1 unless the evidence is intact', async () => {
  const page = join(root, 'report.html')
  const written = await cli(
    'evidence',
    'report',
    whole,
    '--trust',
    trust,
    '--simulation',
    '-o',
    page,
    '--json',
  )
  const { bytes, ...outcome } = JSON.parse(written.stdout)
  assert.deepEqual([outcome, written.code], [{ file: page, verdict: 'intact', findings: 0 }, 0])
  const content = await readFile(page)
  assert.equal(content.byteLength, bytes)
  assert.match(content.toString(), /^<!doctype html>\n<html lang="en">/)

  expectFailure(
    await cli('evidence', 'report', whole, '--trust', trust, '--simulation', '-o', page),
    'output.exists',
    2,
  )
  assert.deepEqual(await readFile(page), content)
  const broken = await cli('evidence', 'report', whole, '--trust', trust, '-o', join(root, 'broken.html'))
  assert.equal(broken.code, 1)
  assert.match(broken.stdout, /^BROKEN {2}.*broken\.html \(\d/)
})

test('evidence report opens the counts with the audit key only', async () => {
  const page = join(root, 'counts.html')
  const report = (key: string) =>
    cli('evidence', 'report', whole, '--trust', trust, '--simulation', '--audit-key', key, '-o', page)
  expectFailure(await report(join(root, 'absent.pem')), 'config.invalid', 78)
  const other = join(root, 'other.pem')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  await writeFile(other, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  expectFailure(await report(other), 'config.invalid', 78)
  await writeFile(
    other,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  )
  assert.equal((await report(other)).code, 0)
  assert.match(await readFile(page, 'utf8'), /was not opened for this page/)

  await rm(page)
  const own = join(root, 'audit.pem')
  await writeFile(own, auditKey.export({ type: 'pkcs8', format: 'pem' }))
  assert.equal((await report(own)).code, 0)
  assert.match(await readFile(page, 'utf8'), /15 of 39 records, by the filter inside the worker/)
})

test('findings are listed with their place', async () => {
  await rm(join(whole, 'evidence-worker', written.boots.dead.boot), { recursive: true })
  const report = await auditFolder(whole, { trust, simulation: true })
  const lines = renderEvidence(report)
  assert.match(lines, /^INCOMPLETE /)
  const { boot } = written.boots.dead
  assert(
    lines.includes(
      `incomplete log.missing at ${boot.slice(0, 10)}: the worker ${boot} is registered, and its log is absent`,
    ),
  )
})
