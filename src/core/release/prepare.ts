/** Prepares the worker's request: every part that the 64 bytes of REPORT_DATA must bind. */
import { bootOf } from '../boot/boot.ts'
import { fromBase64url, sha256, toBase64url, utf8 } from '../bytes.ts'
import { CodedError, under } from '../errors.ts'
import { Ed25519Jwk, type P256Jwk, thumbprint } from '../jwk.ts'
import type { Signer } from '../jws.ts'
import { signAssertion } from './assertion.ts'
import { type Challenge, nonceTime } from './nonce.ts'
import { provePossession } from './possession.ts'
import { type ReleaseJob, ReleaseJobsFormat, type ReleaseRequest } from './request.ts'
import { RuntimeDataFormat, reportDataOf } from './runtimeData.ts'

export type PreparedRequest = {
  /** 64 bytes. The attestation report is requested over them. */
  readonly reportData: Buffer
  readonly withEvidence: (evidence: {
    readonly report: Uint8Array
    readonly certs: readonly Uint8Array[]
  }) => ReleaseRequest
}

/**
 * The assertion takes its time from the nonce, so a guest with a wrong clock is not refused for it. Throws
 * `request.malformed` beyond the limits of a request, and `verifier.untrusted` for a challenge of another
 * audience.
 */
export async function prepareRequest(options: {
  readonly challenge: Challenge
  /** The intended Verifier. A challenge of another one is not answered. */
  readonly audience: string
  readonly jobs: readonly ReleaseJob[]
  readonly asker: Parameters<typeof signAssertion>[0]
  readonly signer: Signer
  /** 128 random bits in hex. */
  readonly jti: string
  readonly wrapKey: P256Jwk
  /** Ed25519, of this boot. */
  readonly evidenceSigner: Signer
  readonly trust: Uint8Array
  readonly software: string
}): Promise<PreparedRequest> {
  const { challenge, wrapKey, evidenceSigner } = options
  const evidenceKey = Ed25519Jwk.parse(evidenceSigner.jwk)
  if (challenge.aud !== options.audience)
    throw new CodedError('verifier.untrusted', 'the challenge is for another audience')
  const nonce = fromBase64url(challenge.nonce)
  const iat = under('verifier.untrusted', () => nonceTime(nonce))
  const jobs = ReleaseJobsFormat.encode([...options.jobs])
  const clientAssertion = await signAssertion(
    options.asker,
    {
      audience: challenge.aud,
      nonce,
      wrapKey: thumbprint(wrapKey),
      iat,
      jti: options.jti,
    },
    options.signer,
  )
  const runtimeData = RuntimeDataFormat.encode({
    v: 1,
    nonce: challenge.nonce,
    aud: challenge.aud,
    wrapKey,
    evidenceKey,
    boot: bootOf(evidenceKey),
    jobsDigest: toBase64url(sha256(jobs)),
    assertion: toBase64url(sha256(utf8(clientAssertion))),
    trust: toBase64url(options.trust),
    software: options.software,
  })
  const reportData = reportDataOf(runtimeData)
  const possession = await provePossession(reportData, evidenceSigner)
  return {
    reportData,
    withEvidence: ({ report, certs }) => ({
      evidence: { type: 'sev-snp', report: toBase64url(report), certs: certs.map(toBase64url) },
      runtimeData: toBase64url(runtimeData),
      clientAssertion,
      possession,
      jobs: toBase64url(jobs),
    }),
  }
}
