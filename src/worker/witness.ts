/**
 * The witness of this boot's log: what was appended is stored, and the Verifier cosigns it and permits the
 * results that it announces. Jobs share a round: one flush and one call for all intents that wait. Nothing of
 * an answer is used before it is verified up to the grant CA.
 */

import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError, codeOf, under } from '#core/errors.ts'
import { splitNote } from '#core/evidence/note.ts'
import {
  claimedCosigner,
  cosignedSize,
  openPermit,
  openPermitRefusal,
  type SignedPermit,
} from '#core/evidence/witness/acceptance.ts'
import type { Permit } from '#core/evidence/witness/permit.ts'
import { MAX_INTENTS, type PermitAnswer, type WitnessAnswer } from '#core/evidence/witness/submission.ts'
import type { Ed25519Jwk } from '#core/jwk.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import type { Denial } from '#core/release/refusal.ts'
import { MAX_REQUEST_BYTES } from '#core/release/request.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ReplicatedService } from '#ports/releaseService.ts'
import type { Registrations } from './registrations.ts'
import type { VerifierTime } from './verifierTime.ts'

/** An entry `result.intent` of this log. */
export type AnnouncedResult = Pick<
  Permit,
  'resultId' | 'attempt' | 'contentDigest' | 'outputDigest' | 'intentIndex'
>

type Permitted = SignedPermit & {
  /** Cosigned, over the intent. */
  readonly checkpoint: string
}

/** The Verifier refuses one result. Its other statements stand. */
export class PermitRefused extends CodedError {
  readonly denialId: string

  constructor({ code, denialId }: Denial) {
    super(code, `the Verifier refuses the permit with ${code}, denial ${denialId}`)
    this.name = 'PermitRefused'
    this.denialId = denialId
  }
}

export type Witness = {
  /**
   * Flushes the log. Throws `PermitRefused`, the log's codes, `verifier.unavailable`, and `verifier.untrusted`
   * for an answer that does not verify.
   */
  readonly permit: (
    announced: AnnouncedResult,
    accepted: AcceptedGrant,
    signal: AbortSignal,
  ) => Promise<Permitted>
}

type Waiting = {
  readonly announced: AnnouncedResult
  readonly accepted: AcceptedGrant
  readonly signal: AbortSignal
  readonly resolve: (permitted: Permitted) => void
  readonly reject: (error: unknown) => void
}

export function createWitness(options: {
  readonly service: ReplicatedService
  readonly evidence: EvidenceLog
  readonly key: Ed25519Jwk
  readonly registrations: Registrations
  /** Learns the time of cosignatures. */
  readonly time: Pick<VerifierTime, 'observe'>
  /** Called once per call of the Verifier, with the number of its intents. */
  readonly asked?: (intents: number) => void
}): Witness {
  const { service, evidence, key, registrations, time, asked } = options
  const own = { origin: logOrigin('worker', evidence.boot), key }
  const waiting: Waiting[] = []
  let running = false

  const run = async (): Promise<void> => {
    // What the other jobs announce in this turn of the event loop joins the round.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const round = takeRound(waiting)
      try {
        await ask(round)
      } catch (error) {
        for (const { reject } of round) reject(error)
      }
    }
    running = false
  }

  const ask = async (round: readonly Waiting[]): Promise<void> => {
    const [{ signal, accepted }] = round as readonly [Waiting, ...Waiting[]]
    const { checkpoint, size } = await evidence.flush(signal)
    const intents = round.map(submitted)
    asked?.(intents.length)
    const answer = await service.witness(evidence.boot, { checkpoint, intents }, signal)
    const registration = await findVerifier(answer, accepted, signal)
    const open = () => {
      expectCosigned(answer, checkpoint, registration)
      if (answer.permits.length !== round.length)
        throw new CodedError('verifier.untrusted', `there are ${answer.permits.length} permits`)
      return round.map((each, index) => permitOf(each, size, answer, answer.permits[index]))
    }
    let outcomes: ReturnType<typeof open>
    try {
      outcomes = under('verifier.untrusted', open)
    } catch (error) {
      service.judge(answer, error)
      throw error
    }
    service.judge(answer)
    for (const [index, outcome] of outcomes.entries())
      if (outcome instanceof PermitRefused) round[index]?.reject(outcome)
      else round[index]?.resolve(outcome)
  }

  const findVerifier = async (
    { cosigned }: WitnessAnswer,
    { grantCas }: AcceptedGrant,
    signal: AbortSignal,
  ) => {
    const boot = under('verifier.untrusted', () => claimedCosigner(cosigned))
    try {
      return boot === undefined ? undefined : await registrations.find(boot, grantCas, signal)
    } catch (error) {
      if (!codeOf(error).startsWith('evidence.')) throw error
      return undefined
    }
  }

  const expectCosigned = ({ cosigned }: WitnessAnswer, checkpoint: string, verifier?: Registration): void => {
    if (splitNote(cosigned).text !== splitNote(checkpoint).text)
      throw new CodedError('verifier.untrusted', 'another checkpoint is cosigned')
    cosignedSize(cosigned, own, verifier)
  }

  const permitOf = (
    { announced, accepted: { grantCas } }: Waiting,
    size: number,
    { grantKey: permitKey, cosigned: checkpoint }: WitnessAnswer,
    answer: PermitAnswer | undefined,
  ): Permitted | PermitRefused => {
    const place = { boot: evidence.boot, intentIndex: announced.intentIndex, size }
    if (answer === undefined) throw new CodedError('verifier.untrusted', 'an intent has no answer')
    if ('refusal' in answer)
      return new PermitRefused(openPermitRefusal(answer.refusal, permitKey, place, grantCas))
    const { permit } = answer
    const payload = openPermit({ permit, permitKey }, grantCas)
    const expected = { ...announced, ...place }
    for (const field of FIELDS)
      if (payload[field] !== expected[field])
        throw new CodedError('verifier.untrusted', `${field} of the permit is another`)
    time.observe(toUnixSeconds(payload.iat))
    return { permit, permitKey, checkpoint }
  }

  return {
    permit: (announced, accepted, signal) =>
      new Promise((resolve, reject) => {
        waiting.push({ announced, accepted, signal, resolve, reject })
        if (running) return
        running = true
        void run()
      }),
  }
}

const FIELDS = [
  'resultId',
  'attempt',
  'contentDigest',
  'outputDigest',
  'boot',
  'intentIndex',
  'size',
] as const

function submitted({ announced, accepted: { signed } }: Waiting) {
  return { index: announced.intentIndex, ...signed }
}

/** As many as one request has room for. */
function takeRound(waiting: Waiting[]): readonly Waiting[] {
  let bytes = 16_384
  let count = 0
  for (const each of waiting) {
    bytes += utf8(JSON.stringify(submitted(each))).byteLength + 1
    if (count === MAX_INTENTS || (count > 0 && bytes > MAX_REQUEST_BYTES)) break
    count += 1
  }
  return waiting.splice(0, count)
}
