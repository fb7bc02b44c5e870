import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MINIMAL_VIEW } from '#core/fhir/elements.ts'
import { filterAll, fixtures, NO_FIXTURES } from './grantedFilter.ts'

const FOLDERS = ['export-a', 'export-b', 'cohort', 'hl7-examples']

/** The texts that no projected line may contain: names, ids, and texts written by people. */
function secretsOf(resource: unknown): string[] {
  const found: string[] = []
  const visit = (value: unknown, key: string, path: readonly string[]): void => {
    if (Array.isArray(value)) for (const element of value) visit(element, key, path)
    else if (typeof value === 'object' && value !== null)
      for (const [name, member] of Object.entries(value)) visit(member, name, [...path, name])
    else if (typeof value === 'string' && isSecret(key, path)) found.push(value)
  }
  visit(resource, '', [])
  return found.filter((text) => text.length >= 6)
}

const SECRET_KEYS = new Set(
  'id div text display family given prefix line city postalCode value data url title'.split(' '),
)
function isSecret(key: string, path: readonly string[]): boolean {
  return (SECRET_KEYS.has(key) && !path.includes('meta')) || path.includes('identifier')
}

for (const folder of FOLDERS)
  test(`only elements of the view pass from ${folder}`, { skip: NO_FIXTURES }, () => {
    let kept = 0
    for (const { file, bytes } of fixtures(folder)) {
      const { lines, counts } = filterAll(bytes)
      kept += lines.length
      const output = lines.join('\n')
      const resources: unknown[] = bytes
        .toString()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
      assert.equal(counts.read, resources.length)
      const shown = new Set(output.match(/"[^"]*"/g))
      // Some displays are a code or a type, such as "vital-signs".
      const codes = new Set(bytes.toString().match(/(?<="(?:code|resourceType)": ?")[^"]*/g))
      for (const resource of resources)
        for (const secret of secretsOf(resource)) {
          if (codes.has(secret)) continue
          assert.ok(!shown.has(JSON.stringify(secret)), `${file} shows a whole text`)
          if (/[ 0-9-]/.test(secret) && secret.length >= 10)
            assert.ok(!output.includes(secret), `${file} shows a text inside another`)
        }
      assert.doesNotMatch(
        output,
        /"(?:name|text|display|div|note|extension|contained|identifier|telecom|address)":/,
        file,
      )
      assert.doesNotMatch(output, /us-npi|(?<![\d.])9999\d{6}(?!\d)|us-ssn|\d{4}-\d\d-\d\d/, file)
      for (const line of lines) assert.ok(Object.hasOwn(MINIMAL_VIEW, JSON.parse(line).resourceType), file)
    }
    assert.ok(kept > 20)
  })

test('sensitive content without a label is found', { skip: NO_FIXTURES }, () => {
  const withheld = fixtures('export-a').flatMap(({ bytes }) => {
    const open = new Set(filterAll(bytes).lines)
    return filterAll(bytes, { sensitive: ['SUD', 'SDV', 'SEX', 'TBOO', 'VIO', 'PSY'] }).lines.filter(
      (line) => !open.has(line),
    )
  })
  for (const code of ['706893006', '361055000', '266948004', '19169002', '267020005'])
    assert.ok(
      withheld.some((line) => line.includes(`"${code}"`)),
      code,
    )
})

test('a sensitive label of the official examples is honoured', { skip: NO_FIXTURES }, () => {
  const [examples] = fixtures('hl7-examples')
  const count = (sensitive: string[]) =>
    filterAll(examples?.bytes ?? Buffer.alloc(0), { sensitive }).counts.kept['Condition']
  assert.equal(count(['TBOO']), Number(count([])) + 1)
})

test('every decimal of the official examples that passes has its own digits', { skip: NO_FIXTURES }, () => {
  const [examples] = fixtures('hl7-examples')
  const bytes = examples?.bytes ?? Buffer.alloc(0)
  const digits = (text: string) => text.match(/"value":-?[0-9][0-9.eE+-]*/g) ?? []
  const given = new Set(digits(bytes.toString()))
  const kept = filterAll(bytes).lines.flatMap(digits)
  assert.ok(kept.some((decimal) => decimal !== `"value":${Number(decimal.slice(8))}`))
  for (const decimal of kept) assert.ok(given.has(decimal), decimal)
})

test('a resource is filtered by its own type, not by its file', { skip: NO_FIXTURES }, () => {
  const mixed = Buffer.concat(
    ['export-a', 'export-b'].flatMap((folder) => fixtures(folder).map(({ bytes }) => bytes)),
  )
  const { lines, counts } = filterAll(mixed, { scopes: ['system/Condition.rs'] })
  assert.deepEqual(Object.keys(counts.kept), ['Condition'])
  assert.equal(
    counts.read,
    lines.length + Object.values(counts.withheld).reduce((sum, count) => sum + count, 0),
  )
})
