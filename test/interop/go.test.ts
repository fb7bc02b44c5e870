/**
 * A log that we wrote, read by packages that share no code with ours: Go's sumdb/note and sumdb/tlog
 * (go/main.go). They need Go, and its module once from the network.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { bootOf } from '#core/boot/boot.ts'
import { exportJwk } from '#core/jwk.ts'
import { toUnixSeconds } from '#core/time.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'

const SOURCE = new URL('go/', import.meta.url).pathname

/** Sizes at which the log is flushed: in the first bundle, at its end, behind it, and far on. */
const FLUSHES = [2, 3, 255, 256, 257, 511, 512, 600]

/** The checker's path, or why there is none. */
function buildChecker(folder: string): { readonly path: string } | { readonly absent: string } {
  const path = join(folder, 'checker')
  const { status, error, stderr } = spawnSync('go', ['build', '-o', path, '.'], {
    cwd: SOURCE,
    encoding: 'utf8',
  })
  if (error !== undefined) return { absent: 'Go is not installed' }
  if (status === 0) return { path }
  // A module that cannot be fetched is the machine's; anything else is ours.
  assert.match(stderr, /proxy|dial|lookup|i\/o timeout|toolchain/, stderr)
  return { absent: `Go cannot fetch its module here: ${stderr.split('\n')[0]}` }
}

/** A log of 600 entries, and the folder that it lies in. */
async function writeLog(root: string): Promise<string> {
  const key = generateKeyPairSync('ed25519').privateKey
  const jwk = exportJwk(key)
  assert(jwk.kty === 'OKP')
  const boot = bootOf(jwk)
  const log = createEvidenceLog({
    store: createFolderStore({ root, namespace: 'test' }),
    bucket: { namespace: 'test', bucket: 'evidence-worker' },
    role: 'worker',
    key,
    boot,
    software: 'confidential-worker 0.1.0',
    simulation: true,
    now: () => toUnixSeconds(1_800_000_000),
  })
  for (const size of FLUSHES) {
    while (log.nextIndex() < size)
      log.append({
        event: 'policy.loaded',
        policySeq: log.nextIndex(),
        policyDigest: 'A'.repeat(43),
        revocationSeq: 0,
        revocations: [],
      })
    await log.flush()
  }
  return join(root, 'evidence-worker', boot)
}

test('Go verifies every checkpoint, their consistency and the inclusion of every entry', async (t) => {
  const root = await temporaryFolder()
  const checker = buildChecker(root)
  if ('absent' in checker) return t.skip(checker.absent)
  const dir = await writeLog(root)
  const check = (folder: string) => spawnSync(checker.path, [folder], { encoding: 'utf8' })
  assert.deepEqual(
    { stdout: check(dir).stdout, stderr: check(dir).stderr },
    { stdout: `600 entries under ${FLUSHES.length} checkpoints\n`, stderr: '' },
  )

  const names = (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
  const newest =
    /^(?:key|checkpoint\/.*|tile\/entries\/(?:000|001|002\.p\/88)|tile\/0\/(?:000|001|002\.p\/88)|tile\/1\/000\.p\/2)$/
  const needed = names.filter((name) => newest.test(name))
  assert.equal(needed.length, 1 + FLUSHES.length + 3 + 3 + 1)
  for (const name of needed)
    await t.test(`it refuses the log if one byte of ${name} differs`, async () => {
      const copy = join(await temporaryFolder(), 'log')
      await cp(dir, copy, { recursive: true })
      const bytes = await readFile(join(copy, name))
      const last = bytes.length - 10
      bytes[last] = (bytes[last] ?? 0) ^ 1
      await writeFile(join(copy, name), bytes)
      assert.equal(check(copy).status, 1)
    })
})
