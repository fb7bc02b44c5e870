/** The contract of the ReleaseService port over HTTPS, against the Verifier's own server. */
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { parseJson } from '#core/canonical.ts'
import { startServer } from '../../src/verifier/server.ts'
import { createCa } from '../verifier/tls.ts'
import { testReleaseService } from './releaseService.ts'

const ca = createCa('provider CA')
const verifier = ca.issue('verifier')
const worker = ca.issue('worker')

testReleaseService('https', async (t, { challenge, release }) => {
  const server = await startServer(
    {
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...verifier, clientCa: ca.pem, clientCrl: [ca.crl] },
      clock: systemClock,
    },
    {
      challenge,
      release: async (body) => await release(parseJson(body)),
      refused: () => {},
      answered: () => {},
      tlsRefused: () => {},
      dropped: () => {},
    },
  )
  const service = createReleaseService({
    url: server.url,
    tls: () => ({ ca: ca.pem, crl: [ca.crl], ...worker }),
    timeoutMs: 5000,
  })
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
})
