/**
 * The Attester (RFC 9334): one challenge, one report over everything asked for, one release request, and what comes back led
 * to the provider's root before anything of it is used.
 */
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { fromBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { type Ed25519Jwk, exportJwk, type P256Jwk } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type AcceptedGrant, acceptAnswer, keysOf } from '#core/release/accept.ts'
import type { Asker } from '#core/release/assertion.ts'
import type { Challenge } from '#core/release/challenge.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import type { RefusalBody, ReleaseJob } from '#core/release/request.ts'
import type { TrustAnchors } from '#core/release/trust.ts'
import type { ObjectKeys } from '#core/release/wrap.ts'
import type { SecretMemory } from '#core/secretMemory.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ReleaseService } from '#ports/releaseService.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { VerifierTime } from './verifierTime.ts'

const newKeyPair = promisify(generateKeyPair)

export type Attester = {
  /** Throws `verifier.unavailable`; what it gives is good for one `ask` within five minutes. */
  readonly challenge: (signal: AbortSignal) => Promise<Challenge>
  /** One answer a job, in order. Throws the code of a request that was refused or cannot be believed as a whole. */
  readonly ask: (
    challenge: Challenge,
    jobs: readonly ReleaseJob[],
    signal: AbortSignal,
  ) => Promise<readonly Answer[]>
}

export type Answer =
  | {
      readonly kind: 'granted'
      readonly accepted: AcceptedGrant
      /** One pair for each object of the grant; the caller owns and frees them. Throws `key.unopened`. */
      readonly openKeys: () => readonly ObjectKeys[]
    }
  | { readonly kind: 'refused'; readonly refusal: RefusalBody }

export function createAttester(options: {
  readonly service: ReleaseService
  readonly reports: ReportSource
  readonly signer: Signer
  readonly asker: Asker
  readonly audience: string
  readonly anchors: TrustAnchors
  readonly trust: Uint8Array
  readonly evidenceKey: Ed25519Jwk
  readonly boot: string
  readonly software: string
  readonly time: VerifierTime
  readonly memory: SecretMemory
}): Attester {
  const { service, reports, time, memory } = options
  return {
    challenge: (signal) => service.challenge(signal),
    ask: async (challenge, jobs, signal) => {
      const { privateKey, jwk } = await freshWrapKey()
      const request = await prepareRequest({
        ...options,
        challenge,
        jobs,
        jti: toHex(randomBytes(16)),
        wrapKey: jwk,
      })
      const evidence = await reports.getReport(request.reportData, signal)
      const response = await service.release(request.withEvidence(evidence), signal)
      const answers = acceptAnswer(response, {
        ...options,
        providerRoot: options.anchors.providerRoot,
        simulation: options.anchors.simulation,
        nonce: fromBase64url(challenge.nonce),
        wrapKey: jwk,
        jobs,
        now: time.now(),
      })
      return answers.map((answer): Answer => {
        if (answer.kind === 'refused') return answer
        time.observe(toUnixSeconds(answer.grant.iat))
        return { kind: 'granted', accepted: answer, openKeys: () => keysOf(answer, privateKey, memory) }
      })
    },
  }
}

/** Born for one request; what is released can be opened with its private half alone, which is never stored. */
async function freshWrapKey(): Promise<{ readonly privateKey: KeyObject; readonly jwk: P256Jwk }> {
  const { privateKey, publicKey } = await newKeyPair('ec', { namedCurve: 'P-256' })
  const jwk = exportJwk(publicKey)
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256')
    throw new CodedError('internal.fault', 'a P-256 key was made as another')
  return { privateKey, jwk }
}
