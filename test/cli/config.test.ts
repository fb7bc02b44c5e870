/** The example configurations in the help of the commands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeadLettersConfig,
  ExportConfig,
  FreshnessConfig,
  GovernConfig,
  OpenConfig,
  SealConfig,
} from '#cli/config.ts'
import { assertClosed, assertLimits } from '../configuration.ts'
import { cli } from './process.ts'

/** Well-formed in place of "…": an OCID, an origin, a path and a public key of Ed25519. */
const FILLED: readonly (readonly [RegExp, string])[] = [
  [/(?<="ocid1\.[a-z.0-9]+)…/g, '.example'],
  [/(?<="https:\/\/)…/g, 'host.example'],
  [/(?<="x": ")…/g, 'A'.repeat(43)],
]

const PATHS = { good: ['/', '/'.padEnd(4096, 'a')], bad: ['', 'a', 'a/b', '/'.padEnd(4097, 'a')] }
const file = (path: string) => ({ kind: 'file', path })
const IN_VAULT = { kind: 'vault', keyId: 'ocid1.key.oc1.eu-frankfurt-1.example' }
const keyLimits = (field: string) => ({
  field,
  good: [IN_VAULT, ...PATHS.good.map(file)],
  bad: [
    ...PATHS.bad.map(file),
    { ...IN_VAULT, path: '/' },
    { ...file('/'), keyId: IN_VAULT.keyId },
    { kind: 'file' },
    { kind: 'vault' },
    { kind: 'card' },
  ],
})

for (const { command, schema, limits, optional = [] } of [
  { command: 'seal', schema: SealConfig, limits: [keyLimits('sealingKey')] },
  { command: 'upload', schema: SealConfig, limits: [] },
  { command: 'open', schema: OpenConfig, limits: [] },
  {
    command: 'freshness',
    schema: FreshnessConfig,
    limits: [keyLimits('freshnessKey'), { field: 'state', ...PATHS }],
  },
  ...['policy sign', 'policy publish', 'policy verifier-keys', 'revoke', 'restore'].map((command) => ({
    command,
    schema: GovernConfig,
    limits: [],
    optional: ['buckets.freshness'],
  })),
  { command: 'evidence export', schema: ExportConfig, limits: [] },
  { command: 'dead-letters list', schema: DeadLettersConfig, limits: [] },
])
  test(`${command} --help shows a configuration that loads, with every field and no other`, async () => {
    const { stdout } = await cli(...command.split(' '), '--help')
    const [, json = ''] = /\nConfiguration [^\n]*\n(.*?\n {2}\}\n)/s.exec(stdout) ?? []
    const filled = FILLED.reduce((text, [pattern, value]) => text.replaceAll(pattern, value), json)
    const config = JSON.parse(filled)
    assert.deepEqual(Object.keys(config).sort(), Object.keys(schema.shape).sort())
    assertClosed(schema, config, optional)
    assertLimits(schema, config, limits)
  })
