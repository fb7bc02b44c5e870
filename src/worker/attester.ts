/**
 * The Attester (RFC 9334): one challenge, one report over all jobs, one release request. The answer is
 * verified up to the provider's root before any part of it is used. If an address of the Verifier gives no
 * answer that is proven, the exchange begins again at the next one.
 */
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { fromBase64url, toHex } from '#core/bytes.ts'
import { CodedError, codeOf, type ErrorCode } from '#core/errors.ts'
import { expectRecorded } from '#core/evidence/grantLog.ts'
import { exportJwk, type P256Jwk } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import {
  type AcceptedGrant,
  type AcceptedRefusal,
  acceptAnswer,
  acceptRefused,
  type Expectation,
  keysOf,
  listKeyOf,
} from '#core/release/accept.ts'
import type { Asker } from '#core/release/assertion.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import { RequestRefused } from '#core/release/refusal.ts'
import type { RefusedResponse, ReleaseJob, ReleaseResponse } from '#core/release/request.ts'
import type { TrustAnchors } from '#core/release/trust.ts'
import type { ObjectKeys } from '#core/release/wrap.ts'
import type { SecretMemory } from '#core/secretMemory.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ReplicatedService } from '#ports/releaseService.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { Registrations } from './registrations.ts'
import type { VerifierTime } from './verifierTime.ts'

/** Of a registration that the grant CA has not signed. */
const UNPROVEN = ['evidence.malformed', 'evidence.inconsistent'] as const satisfies readonly ErrorCode[]

const newKeyPair = promisify(generateKeyPair)

export type Attester = {
  /** A challenge for one `ask` within five minutes. Throws `verifier.unavailable`. */
  readonly challenge: (signal: AbortSignal) => Promise<Challenge>
  /**
   * One answer per job, in order. Throws `RequestRefused` if a signature refuses the request as a whole, and
   * the code of an answer that does not verify when no other address of the Verifier has a better one.
   */
  readonly ask: (
    challenge: Challenge,
    jobs: readonly ReleaseJob[],
    signal: AbortSignal,
  ) => Promise<readonly JobAnswer[]>
}

export type GrantedJob = {
  readonly kind: 'granted'
  readonly accepted: AcceptedGrant
  /** The keys of the object at this index of the grant; the caller owns and frees them. Throws `key.unopened`. */
  readonly openKeys: (index: number) => ObjectKeys
  /** The key of the consent list at this index of the grant; likewise. */
  readonly openListKey: (index: number) => Buffer
}
export type JobAnswer = GrantedJob | AcceptedRefusal

export function createAttester(options: {
  readonly service: ReplicatedService
  readonly reports: ReportSource
  readonly signer: Signer
  readonly asker: Asker
  readonly audience: string
  readonly anchors: TrustAnchors
  readonly trust: Uint8Array
  /** Of the boot's evidence key. */
  readonly evidenceSigner: Signer
  readonly boot: string
  readonly software: string
  /** The time of verified grants alone: an address could set another so that no answer is in force. */
  readonly granted: VerifierTime
  /** Dates the evidence. */
  readonly time: VerifierTime
  readonly memory: SecretMemory
  /** Of the Verifiers, whose logs grants name. */
  readonly registrations: Registrations
}): Attester {
  const { service, reports, signer, asker, audience, anchors, trust, evidenceSigner, boot, software } =
    options
  const { granted, time, memory, registrations } = options
  const floor = new Floor()

  const exchange = async (
    challenge: Challenge,
    jobs: readonly ReleaseJob[],
    signal: AbortSignal,
  ): Promise<readonly JobAnswer[] | RequestRefused> => {
    const { privateKey, jwk } = await freshWrapKey()
    const request = await prepareRequest({
      challenge,
      audience,
      jobs,
      asker,
      signer,
      jti: toHex(randomBytes(16)),
      wrapKey: jwk,
      evidenceSigner,
      trust,
      software,
    }).catch((error) => {
      if (codeOf(error) === 'verifier.untrusted') service.judge(challenge, error)
      throw error
    })
    const evidence = await reports.getReport(request.reportData, signal)
    const response = await service.release(request.withEvidence(evidence), challenge.nonce, signal)
    const expected = {
      providerRoot: anchors.providerRoot,
      audience,
      asker,
      boot,
      nonce: fromBase64url(challenge.nonce),
      wrapKey: jwk,
      jobs,
      simulation: anchors.simulation,
      now: granted.now(),
      floor,
    }
    const accepted = await accept(response, expected, signal)
    if (accepted instanceof RequestRefused) return accepted
    return accepted.map((answer): JobAnswer => {
      if (answer.kind === 'refused') return answer
      for (const clock of [granted, time]) clock.observe(toUnixSeconds(answer.grant.iat))
      return {
        kind: 'granted',
        accepted: answer,
        openKeys: (index) => keysOf(answer, index, privateKey, memory),
        openListKey: (index) => listKeyOf(answer, index, privateKey, memory),
      }
    })
  }

  const accept = async (
    response: ReleaseResponse | RefusedResponse,
    expected: Expectation,
    signal: AbortSignal,
  ) => {
    const judged = <T>(verify: () => T): T => {
      try {
        return verify()
      } catch (error) {
        service.judge(response, error)
        throw error
      }
    }
    const accepted = judged(() =>
      'refusal' in response ? acceptRefused(response, expected) : acceptAnswer(response, expected),
    )
    // No key is opened whose decision could be left out of the Verifier's log.
    if (!(accepted instanceof RequestRefused))
      for (const answer of accepted) {
        if (answer.kind === 'refused') continue
        const registration = await findVerifier(answer, signal)
        judged(() => expectRecorded(answer.grant, registration))
      }
    service.judge(response)
    return accepted
  }

  /**
   * The registration of the boot whose log a grant names; undefined if none is there that its own CA signed, not
   * one of before.
   */
  const findVerifier = async ({ grant, grantCas }: AcceptedGrant, signal: AbortSignal) => {
    try {
      return await registrations.find(grant.log.boot, grantCas.slice(0, 1), signal)
    } catch (error) {
      if (!UNPROVEN.some((code) => code === codeOf(error))) throw error
      return undefined
    }
  }

  /** Each address gets one exchange at most. What failed in this machine or in OCI fails at any address. */
  const exchangeAtAny = async (
    challenge: Challenge,
    jobs: readonly ReleaseJob[],
    signal: AbortSignal,
  ): Promise<readonly JobAnswer[] | RequestRefused> => {
    let asked = challenge
    for (let left = service.addresses - 1; ; left -= 1) {
      const failures = service.failures()
      try {
        return await exchange(asked, jobs, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (service.failures() === failures || left === 0 || !service.another()) throw error
        asked = await service.challenge(signal).catch(() => {
          signal.throwIfAborted()
          // It says more than the outage of the others.
          throw error
        })
      }
    }
  }

  return {
    challenge: (signal) => service.challenge(signal),
    ask: async (challenge, jobs, signal) => {
      const answers = await exchangeAtAny(challenge, jobs, signal)
      if (answers instanceof RequestRefused) throw answers
      return answers
    },
  }
}

/** A key pair for one request. Only its private half opens the released keys, and it is never stored. */
async function freshWrapKey(): Promise<{ readonly privateKey: KeyObject; readonly jwk: P256Jwk }> {
  const { privateKey, publicKey } = await newKeyPair('ec', { namedCurve: 'P-256' })
  const jwk = exportJwk(publicKey)
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256')
    throw new CodedError('internal.fault', 'a P-256 key was made as another')
  return { privateKey, jwk }
}
