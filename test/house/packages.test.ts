/** Packages that only one part of `src` may load. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const SOURCES = new URL('../../src/', import.meta.url)
const FORGE = /\b(?:from|import|require)\s*\(?\s*'node-forge/

/** The files below `src` that import node-forge, statically or not. */
function forgeUsers(): readonly string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => FORGE.test(readFileSync(join(SOURCES.pathname, name), 'utf8')))
    .sort()
}

/** The imports of a file below `src` that load code. */
function loadedBy(file: string): readonly string[] {
  const lines = readFileSync(join(SOURCES.pathname, file), 'utf8').split('\n')
  return lines.filter((line) => /^import (?!type )/.test(line))
}

// Worker, Verifier and function cannot import the command line (roofs.test.ts), so they never load it.
test('node-forge reads and writes certificates for `enrol` only', () => {
  assert.deepEqual(forgeUsers(), ['cli/enrol/asn1.ts', 'cli/enrol/certificate.ts'])
})

test('no other command loads it: the enrolment commands load their work when they run', () => {
  const loaders = readdirSync(join(SOURCES.pathname, 'cli'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('enrol/'))
    .filter((name) =>
      /'(?:#cli|\.)\/enrol\/(?!command\.ts)/.test(readFileSync(join(SOURCES.pathname, 'cli', name), 'utf8')),
    )
  assert.deepEqual(loaders, [])
  assert.deepEqual(loadedBy('cli/enrol/command.ts'), [
    "import { actionOf, commandsOf } from '#cli/commandGroup.ts'",
  ])
  assert.deepEqual(loadedBy('cli/commandGroup.ts'), [])
})
