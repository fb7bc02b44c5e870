/** Real TLS servers in the place of a Verifier. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { problemOf } from '#core/release/refusal.ts'
import type { ReleaseRequest } from '#core/release/request.ts'
import { toUnixSeconds } from '#core/time.ts'
import { createCa } from '../../verifier/tls.ts'

export const ca = createCa('provider CA')
export const server = ca.issue('verifier')
export const client = ca.issue('worker')
const AUDIENCE = 'https://verifier.hospital.example'
const minted = toUnixSeconds(1_800_000_000)
export const challenge = {
  nonce: toBase64url(
    mintNonce({ epoch: 1, key: Buffer.alloc(32, 1) }, AUDIENCE, minted, Buffer.alloc(16, 1)),
  ),
  exp: 1_800_000_300,
  aud: AUDIENCE,
}
export const request: ReleaseRequest = {
  evidence: { type: 'sev-snp', report: 'AA', certs: ['AA'] },
  runtimeData: 'AA',
  clientAssertion: 'a.b.c',
  possession: 'AA',
  jobs: 'AA',
}
export const response = {
  verifierKeys: { payload: 'AA', signatures: [{ protected: 'AA', signature: 'AA' }] },
  grantKey: 'a.b.c',
  freshness: 'a.b.c',
  earlierKeys: [],
  answers: [{ refusal: 'a.b.c' }],
}

export async function listen(t: TestContext, listener: RequestListener, tls: object = {}): Promise<string> {
  const listening = createServer({ ...server, ca: ca.pem, requestCert: true, ...tls }, listener)
  listening.on('tlsClientError', () => {})
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => {
    listening.close()
    listening.closeAllConnections()
  })
  // A TCP listener's address is never a string.
  return `https://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

export const says =
  (status: number, body: string | Uint8Array): RequestListener =>
  (_request, answer) => {
    answer.writeHead(status).end(body)
  }

export const problem = (code: ErrorCode): string => JSON.stringify(problemOf(code, 'cd'.repeat(16)))
