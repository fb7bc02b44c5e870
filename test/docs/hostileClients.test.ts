/** The table of hostile clients in docs/threat-model.md is that of the tests, and every test in it exists. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentRows, ROWS } from '../verifier/hostile/threats.ts'
import { readDocument } from './document.ts'

const HEADING = '## Hostile clients'

test('docs/threat-model.md has the table of the tests', async () => {
  const [, section = ''] = (await readDocument('docs/threat-model.md')).split(`${HEADING}\n`)
  const [text = ''] = section.split('\n## ')
  const [, , ...rows] = text.split('\n').filter((line) => line.startsWith('|'))
  assert.deepEqual(rows, documentRows())
})

for (const { threat, played } of ROWS)
  test(`where it is said to be played, there is a test: ${threat}`, async () => {
    assert.ok(played.length > 0)
    for (const [file, title] of played) {
      const source = await readDocument(file)
      const written = title.replaceAll('{', '${')
      const quoted = ["'", '"', '`'].map((quote) => `test(${quote}${written}${quote}`)
      assert.ok(
        quoted.some((call) => source.includes(call)),
        `${file} has no test "${title}"`,
      )
    }
  })
