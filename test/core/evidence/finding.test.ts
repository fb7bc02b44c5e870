import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Findings } from '#core/evidence/audit/finding.ts'

test('the worst finding is the verdict', () => {
  const findings = new Findings()
  assert.equal(findings.verdict, 'intact')
  findings.add('tile.missing', 'x')
  assert.equal(findings.verdict, 'incomplete')
  findings.add('tile.altered', 'x')
  assert.equal(findings.verdict, 'broken')
  findings.add('tile.missing', 'x')
  assert.equal(findings.verdict, 'broken')
})

test('findings beyond the limit are counted and still decide the verdict', () => {
  const findings = new Findings()
  for (let i = 0; i < 10_000; i++) findings.add('tile.missing', 'x')
  findings.add('tile.altered', 'x')
  assert.deepEqual([findings.list.length, findings.omitted, findings.verdict], [10_000, 1, 'broken'])
})

test('a text from a hostile collection has no control characters and a maximum length', () => {
  const findings = new Findings()
  findings.add('object.unexpected', `\u001b[2J\n${'x'.repeat(2000)}`)
  assert.equal(findings.list[0]?.text, `?[2J?${'x'.repeat(995)}`)
})
