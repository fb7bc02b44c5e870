/** The contract of the ReleaseService port over HTTPS, at one address or several, against the Verifier's own server. */
import type { TestContext } from 'node:test'
import { type Connection, createReleaseService } from '#adapters/http/releaseService.ts'
import { createReplicas } from '#adapters/http/replicas.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { startServer } from '../../src/verifier/server.ts'
import { linesOf } from '../log.ts'
import { createCa } from '../verifier/tls.ts'
import { type ReleaseSetup, type ScriptedVerifier, testReleaseService } from './releaseService.ts'

const ca = createCa('provider CA')
const verifier = ca.issue('verifier')
const worker = ca.issue('worker')

const connect = (url: string): Connection =>
  createReleaseService({ url, tls: () => ({ ca: ca.pem, crl: [ca.crl], ...worker }), timeoutMs: 5000 })

async function open(
  t: TestContext,
  { challenge, release }: ScriptedVerifier,
  serviceAt: (url: string) => ReleaseSetup['service'] & { readonly close: () => void },
): Promise<ReleaseSetup> {
  const server = await startServer(
    {
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...verifier, clientCertificates: 'required', clientCa: ca.pem, clientCrl: [ca.crl] },
      clock: systemClock,
    },
    {
      challenge,
      release: async (body) => await release(parseJson(body)),
      witness: async () => {
        throw new CodedError('boot.unregistered', 'no such log')
      },
      checkNonce: () => {},
      refused: () => {},
      answered: () => {},
      tlsRefused: () => {},
      dropped: () => {},
    },
  )
  const service = serviceAt(server.url)
  let running = true
  const stop = async () => {
    if (running) await server.close(0)
    running = false
  }
  t.after(async () => {
    service.close()
    await stop()
  })
  return { service, stop }
}

testReleaseService('https', (t, verifier) => open(t, verifier, connect))

const NO_ONE = 'https://127.0.0.1:1'
const around = { clock: systemClock, log: linesOf().log }
for (const [name, urlsWith] of [
  ['its only address', (url: string) => [url]],
  ['its address behind one that is dead', (url: string) => [NO_ONE, url]],
  ['its address before one that is dead', (url: string) => [url, NO_ONE]],
] as const)
  testReleaseService(name, (t, verifier) =>
    open(t, verifier, (url) => createReplicas(urlsWith(url), connect, around)),
  )
