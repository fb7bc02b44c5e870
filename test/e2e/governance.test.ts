/** docs/governance.md: its command blocks run in their order, as a reader runs them, beside a deployment. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { generatePopulation } from '#lab/demo/population.ts'
import { readDocument } from '../docs/document.ts'
import { temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { startSystem } from './systemUnderTest.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Only a failing block takes this long. */
const PATIENCE_MS = 120_000
const missing = ['bash', 'openssl'].find((tool) => spawnSync(tool, ['version']).error !== undefined)
const skip = missing === undefined ? false : `${missing} is absent`

test('a reader of docs/governance.md governs a hospital by its commands alone', { skip }, async (t) => {
  const system = await startSystem({ workers: 1, verifiers: 2 })
  t.after(system.close)
  const { folders } = system.deployment
  await writeFile(
    join(folders.root, 'input.ndjson'),
    generatePopulation({ seed: 'governance', patients: 15 }),
  )
  // The page has a path below the current folder.
  const here = await temporaryFolder(t)
  await symlink(folders.root, join(here, 'hospital'))

  const blocks = [...(await readDocument('docs/governance.md')).matchAll(/^```sh\n(.*?)^```$/gms)].map(
    ([, sh = '']) => sh,
  )
  const [head = '', ...steps] = blocks
  assert.ok(steps.length >= 10)
  const shell = head
    .replace('H=out/hospital', 'H=hospital')
    .replace('npm run --silent cli --', `${process.execPath} ${ROOT}src/cli/main.ts`)
  assert.ok(
    shell.includes('H=hospital') && shell.includes('main.ts'),
    'the first block has folder and command',
  )
  const said: string[] = []
  for (const step of steps) {
    const script = `set -eu\n${shell}\n${step}`
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], {
      cwd: here,
      timeout: PATIENCE_MS,
    }).catch((error: Error & { stdout: string; stderr: string }) =>
      assert.fail(`${step}\n${error.message}\n${error.stdout}\n${error.stderr}`),
    )
    said.push(stdout, stderr)
  }
  const all = said.join('')
  for (const expected of [
    /a form is not a policy: exit code 2/,
    /research may use cohort for HRESCH/,
    /published {2}policy\/000000002-/,
    /research-sumary is not in the policy in force/,
    /^refused: exit code 1$/m,
    /revoked {4}revocation\/000000001-[0-9a-f]{32} by privacy-officer/,
    /published {2}revocation\/000000002-/,
    /published {2}verifier-keys\/000000002-/,
    /Policy 2 → 3 of hospital\. /,
  ])
    assert.match(all, expected)
  // Nothing that is secret was printed.
  assert.doesNotMatch(all, /PRIVATE KEY|"d":/)
})
