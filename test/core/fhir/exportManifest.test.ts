import assert from 'node:assert/strict'
import test from 'node:test'
import { type ExportedFile, expectExport, parseExportManifest } from '#core/fhir/exportManifest.ts'

const output = (name: string, more: object = {}) => ({
  type: 'Patient',
  url: `https://a.example/x/${name}`,
  ...more,
})
const file = (name: string, types: readonly string[] = ['Patient']): ExportedFile => ({
  name,
  size: 10,
  lines: 2,
  types,
})
const parse = (value: unknown) => parseExportManifest(Buffer.from(JSON.stringify(value)))

for (const [what, manifest, files] of [
  ['one file without figures', { output: [output('a')] }, [file('a')]],
  ['count and size', { output: [output('a', { count: 2, fileSize: 10 })] }, [file('a')]],
  ['another order', { output: [output('a'), output('b')] }, [file('b'), file('a')]],
  ['an escaped name', { output: [output('a%20b')] }, [file('a b')]],
  ['an empty file', { output: [output('a')] }, [file('a', [])]],
  ['a query behind the name', { output: [output('a?token=1')] }, [file('a')]],
  ['fields of the server', { output: [output('a', { extension: {} })], request: 'x', link: [] }, [file('a')]],
  ['a link to itself', { output: [output('a')], link: [{ relation: 'self' }] }, [file('a')]],
] as const)
  test(`the files are those of the manifest: ${what}`, () => expectExport(parse(manifest), files))

for (const [what, manifest, files, message] of [
  ['a missing file', { output: [output('a'), output('b')] }, [file('a')], /b is missing/],
  ['a foreign file', { output: [output('a')] }, [file('a'), file('b')], /b is not in the manifest/],
  ['a file twice', { output: [output('a')] }, [file('a'), file('a')], /a is named more than once/],
  ['an output twice', { output: [output('a'), output('a')] }, [file('a')], /a is named more than once/],
  ['another count', { output: [output('a', { count: 3 })] }, [file('a')], /a has 2 resources, expected 3/],
  ['no count', { output: [output('a', { count: 0 })] }, [file('a')], /a has 2 resources, expected 0/],
  ['another size', { output: [output('a', { fileSize: 11 })] }, [file('a')], /a has 10 bytes, expected 11/],
  [
    'another type',
    { output: [output('a')] },
    [file('a', ['Condition', 'Patient'])],
    /a has Condition, expected only Patient/,
  ],
  [
    'a file under the type of another',
    { output: [output('a'), output('b', { type: 'Condition' })] },
    [file('a', ['Condition']), file('b', ['Patient'])],
    /a has Condition, expected only Patient; b has Patient, expected only Condition/,
  ],
  ['further pages', { output: [output('a')], link: [{ relation: 'next' }] }, [file('a')], /further pages/],
] as const)
  test(`refused: ${what}`, () =>
    assert.throws(() => expectExport(parse(manifest), files), { code: 'export.incomplete', message }))

for (const [what, value] of [
  ['no output', { output: [] }],
  ['a relative URL', { output: [{ type: 'Patient', url: 'a' }] }],
  ['a negative count', { output: [output('a', { count: -1 })] }],
  ['no manifest', []],
] as const)
  test(`malformed: ${what}`, () => assert.throws(() => parse(value), { code: 'export.malformed' }))
