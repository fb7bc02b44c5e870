/** Floods against a Verifier, each from a process and with a certificate of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { type Teardown, temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { deployVerifier } from './deployedVerifier.ts'
import { createWorker } from './worker.ts'

export const FLOODS = [
  'idle connections',
  'unfinished bodies',
  'nests',
  'unknown keys',
  'bogus nonces',
  'garbage',
  'strangers',
  'challenges',
  'oversized bodies',
] as const
export type Flood = (typeof FLOODS)[number]

/** The Verifier's URL, and the path of the file that flooders read. */
export type Target = { readonly url: string; readonly file: string }

/**
 * Resolves when it has begun, with what ends it. It also ends with this process. `part` divides the number of
 * its connections (flooder.ts); `nice` is as in nice(1).
 */
export async function startFlood(
  flood: Flood,
  { url, file }: Target,
  { part = 1, nice = 0 }: { readonly part?: number; readonly nice?: number },
): Promise<() => Promise<void>> {
  const program = fileURLToPath(new URL('flooder.ts', import.meta.url))
  const flooder = [process.execPath, program, flood, new URL(url).port, file, String(part)]
  const child = spawn('nice', ['-n', String(nice), ...flooder], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  if (child.exitCode !== null) throw new Error(`the flood "${flood}" ended`)
  return async () => {
    child.kill('SIGKILL')
    await ended
  }
}

/** A Verifier with a policy, a good worker with one job, and the file of the hostile clients. */
export async function deployTarget(t: Teardown) {
  const { deployment, url, monitor } = await deployVerifier(t)
  const { ca } = deployment
  const worker = createWorker(deployment, url)
  t.after(() => worker.service.close())
  const { job } = await deployment.seal()
  const file = join(await temporaryFolder(t), 'flooder.json')
  const { request } = await worker.prepare([job], {
    challenge: (challenge) => {
      const nonce = fromBase64url(challenge.nonce)
      nonce.writeUInt8(nonce.readUInt8(60) ^ 1, 60)
      return { ...challenge, nonce: toBase64url(nonce) }
    },
  })
  const identities = Object.fromEntries(FLOODS.map((flood) => [flood, ca.issue(flood)]))
  await writeFile(file, JSON.stringify({ ca: ca.pem, identities, request }))
  return {
    url,
    monitor,
    file,
    /** Throws unless the worker gets its keys. */
    obtain: async () => {
      const [answer] = await worker.obtain([job])
      assert.equal(answer?.kind, 'granted')
    },
  }
}
