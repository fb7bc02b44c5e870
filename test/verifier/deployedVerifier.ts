/** A Verifier process with keys and a policy in force, and what it was deployed from. */
import type { VerifierConfig } from '../../src/verifier/config.ts'
import type { Teardown } from '../lab/emulator/testEmulator.ts'
import { deploy, writeTls } from './deployment.ts'
import { runVerifier, says } from './program.ts'

export async function deployVerifier(t: Teardown, changes?: Partial<VerifierConfig>) {
  const deployment = await deploy(t)
  const config = deployment.config(changes)
  await writeTls(config, deployment.ca)
  await deployment.putVerifierKeys()
  await deployment.putPolicy(deployment.policy(1))
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  const ready = await verifier.line(says('ready'))
  await verifier.line(says('policy loaded'))
  return { deployment, url: String(ready['url']), monitor: String(ready['monitor']) }
}
