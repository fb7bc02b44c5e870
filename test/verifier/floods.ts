/** Floods against a Verifier, each from a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { type Teardown, temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { deploy, writeTls } from './deployment.ts'
import { runVerifier, says } from './program.ts'
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

/** Resolves when it has begun, with what ends it. `file` is a path (flooder.ts). */
export async function startFlood(flood: Flood, url: string, file: string): Promise<() => Promise<void>> {
  const program = fileURLToPath(new URL('flooder.ts', import.meta.url))
  const child = spawn(process.execPath, [program, flood, new URL(url).port, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  if (child.exitCode !== null) throw new Error(`the flood "${flood}" ended`)
  return async () => {
    child.kill('SIGKILL')
    await ended
  }
}

/** A Verifier with a policy, a good worker with one job, and the file of a hostile client. */
export async function deployTarget(t: Teardown) {
  const deployment = await deploy(t)
  const { ca } = deployment
  const config = deployment.config()
  await writeTls(config, ca)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  const ready = await verifier.line(says('ready'))
  const url = String(ready['url'])
  await verifier.line(says('policy loaded'))
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
  await writeFile(file, JSON.stringify({ tls: { ca: ca.pem, ...ca.issue('hostile') }, request }))
  const jobs: readonly ReleaseJob[] = [job]
  return { url, monitor: String(ready['monitor']), file, obtain: () => worker.obtain(jobs) }
}
