import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { renderEvidence } from '#cli/evidence/text.ts'
import { verifyEvidence } from '#cli/evidence/verify.ts'
import { thumbprint } from '#core/jwk.ts'
import { providerRoot } from '../core/evidence/story.ts'
import { tellWhole } from '../core/evidence/wholeStory.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-cli-evidence-'))
after(() => rm(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const told = await tellWhole(whole)
const intact = await verifyEvidence(whole, { simulation: true })
const text = renderEvidence(intact.report)

test('an intact collection exits 0, simulated evidence without --simulation 1', async () => {
  assert.equal(intact.exit, 0)
  const refused = await verifyEvidence(whole, { simulation: false })
  assert.equal(refused.exit, 1)
  const lines = renderEvidence(refused.report)
  assert.match(lines, /^BROKEN /)
  assert.match(lines, /broken +evidence\.simulated: /)
})

test('the verdict stands first, and what it does not say stands beside it', () => {
  const [first = '', second = '', third = '', fourth = ''] = text.split('\n')
  assert.match(first, /^INTACT /)
  assert.match(second, /^SIMULATED /)
  assert.match(third, /^unwitnessed /)
  assert.equal(fourth, '10 allowed, 1 refused, 0 findings')
})

test('the pin is said to be compared where it came with the collection, and only there', async () => {
  const [key] = providerRoot.keys
  assert(key !== undefined)
  assert(text.includes('The root came with the collection. Compare these thumbprints'))
  assert(text.includes(`${thumbprint(key.jwk)}  ada`))
  const elsewhere = join(root, 'pin.json')
  await copyFile(join(whole, 'trust.json'), elsewhere)
  const { exit, report } = await verifyEvidence(whole, { trust: elsewhere, simulation: true })
  assert.equal(exit, 0)
  assert.equal(report.trust.source, 'file')
  assert(!renderEvidence(report).includes('came with the collection'))
})

test('every end is told', () => {
  const { boots, releases, made } = told
  for (const line of [
    `result ${made.resultId.slice(0, 10)} visible`,
    `abandoned by boot ${boots.dead.boot.slice(0, 10)}, finished by release ${releases.again.releaseId.slice(0, 10)}`,
    `never acknowledged by boot ${boots.alive.boot.slice(0, 10)}, finished by release ${releases.again.releaseId.slice(0, 10)}`,
    `abandoned by boot ${boots.dead.boot.slice(0, 10)}, job set aside`,
    'was there already',
    'withheld (service.unavailable)',
    'job failed (workload.failed), set aside',
    'job returned (service.unavailable)',
    '6 x nonce.expired, before anything in them was authentic',
    'not registered',
  ])
    assert(text.includes(line), line)
})

test('words that a requester chose move no cursor', () => {
  assert(text.includes('guest-policy.debug: guestPolicy.debug is set?[2J, expected forbidden'))
  assert(!text.includes('\u001b'))
})

test('a report is plain JSON', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(intact.report)), intact.report)
})

test('findings are listed with their place', async () => {
  await rm(join(whole, 'evidence-worker', told.boots.dead.boot), { recursive: true })
  const { exit, report } = await verifyEvidence(whole, { simulation: true })
  assert.equal(exit, 1)
  const lines = renderEvidence(report)
  assert.match(lines, /^INCOMPLETE /)
  const { boot } = told.boots.dead
  assert(
    lines.includes(
      `incomplete log.missing at ${boot.slice(0, 10)}: the worker ${boot} is registered, and its whole log is not there`,
    ),
  )
})

const empty = join(root, 'empty')
await mkdir(empty)
const bad = join(root, 'bad.json')
await writeFile(bad, '{"providerRoot":{"keys":[],"threshold":2}}')
const huge = join(root, 'huge.json')
await writeFile(huge, Buffer.alloc(64 * 1024 + 1, ' '))
for (const [name, dir, trust] of [
  ['no folder', join(root, 'absent'), undefined],
  ['a file', bad, undefined],
  ['no trust.json', empty, undefined],
  ['a pin that is not there', empty, join(root, 'absent.json')],
  ['a pin that is none', empty, bad],
  ['a pin that is too large', empty, huge],
] as const)
  test(`nothing to audit, or no root: ${name}`, async () => {
    await assert.rejects(verifyEvidence(dir, { trust, simulation: true }), { code: 'input.unreadable' })
  })
