/** The example configurations in the help of the commands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadLettersConfig, ExportConfig, OpenConfig, SealConfig } from '#cli/config.ts'
import { cli } from './process.ts'

/** Well-formed in place of "…": an OCID, an origin, a path and a public key of Ed25519. */
const FILLED: readonly (readonly [RegExp, string])[] = [
  [/(?<="ocid1\.[a-z.0-9]+)…/g, '.example'],
  [/(?<="https:\/\/)…/g, 'host.example'],
  [/(?<="x": ")…/g, 'A'.repeat(43)],
]

for (const { command, schema } of [
  { command: 'seal', schema: SealConfig },
  { command: 'upload', schema: SealConfig },
  { command: 'open', schema: OpenConfig },
  { command: 'evidence export', schema: ExportConfig },
  { command: 'dead-letters list', schema: DeadLettersConfig },
])
  test(`${command} --help shows a configuration that loads, with every field`, async () => {
    const { stdout } = await cli(...command.split(' '), '--help')
    const [, json = ''] = /\nConfiguration [^\n]*\n(.*?\n {2}\}\n)/s.exec(stdout) ?? []
    const filled = FILLED.reduce((text, [pattern, value]) => text.replaceAll(pattern, value), json)
    const config = schema.parse(JSON.parse(filled))
    assert.deepEqual(Object.keys(config).sort(), Object.keys(schema.shape).sort())
  })
