/**
 * POST /v1/releases. A request that is not authentic costs only time and is counted. From then on every
 * answer is a decision, and every decision is in the log before it leaves the process.
 *
 * Crash argument. A key leaves the Vault only after `release.decided` is durable, and leaves this process
 * only after `release.issued` is. A crash in between leaves a decision without an end, and the worker without
 * an answer. Its nonce is spent, so it asks again with a new challenge. A later boot of a Verifier sees that
 * this log stands still and writes `release.interrupted` (interruptions.ts).
 */
import { abandonable } from '#adapters/system/abandonable.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { Shed } from './admission.ts'
import { type AuthenticRequest, authenticate } from './authenticate.ts'
import type { Boot } from './boot.ts'
import { refusedAs } from './decidedRefusal.ts'
import { decideRequest } from './decision.ts'
import { recordDecision, storeDecisions } from './decisionRecord.ts'
import { issueAll } from './issuance.ts'
import type { Step } from './metrics.ts'
import { withinLimit } from './periodicTasks.ts'
import { CLIENT_RATE } from './rates.ts'

/**
 * Throws the code of a request that is refused as a whole, which is `DecidedRefusal` if that was decided, and
 * of one whose deadline passes. A refused job is one of the answers; a preflight has none. No key leaves
 * after the deadline: another boot may soon tell what this one left unended.
 */
export async function answerRelease(
  body: Uint8Array,
  boot: Boot,
  admittedBy?: Uint8Array,
): Promise<ReleaseResponse> {
  return await withinLimit(boot.requestSeconds * 1000, undefined, async (deadline) => {
    const now = boot.clock.now()
    const grantKey = boot.grantKeys.current()
    const authentic = await timed('authenticate', boot, async () => authenticate(body, boot, now, admittedBy))
    expectRate(authentic, boot)
    const decision = await timed('decide', boot, () =>
      abandonable(decideRequest(authentic, boot, now, deadline), deadline),
    )
    const recorded = await timed('record', boot, () => recordDecision(authentic, decision, boot, deadline))
    if ('denialId' in recorded) throw await refusedAs(recorded, authentic, grantKey)
    const { checkpoint } = await timed('store', boot, () => storeDecisions(recorded, boot, deadline))
    const answers = await timed('issue', boot, () =>
      issueAll(recorded, { authentic, checkpoint, grantKey, now }, boot, deadline),
    )
    // Begun also after the deadline, so that the ends are stored in time.
    await timed('flush', boot, () => abandonable(boot.evidence.flush(), deadline))
    const { keys, freshness } = authentic.inForce
    return {
      verifierKeys: keys.signed,
      grantKey: grantKey.certificate,
      freshness,
      earlierKeys: [...keys.earlier],
      answers,
    }
  })
}

/** From here on a request costs evidence and calls of the Vault. A client may hold many certificates. */
function expectRate({ asker }: AuthenticRequest, { clientRates }: Boot): void {
  if (!clientRates.take(asker.client))
    throw new Shed('client.busy', `more than ${CLIENT_RATE.perSecond} requests a second`, 1)
}

/** Runs a step, and tells how long it took, also if it fails. */
async function timed<T>(
  step: Step,
  { metrics, clock }: Pick<Boot, 'metrics' | 'clock'>,
  work: () => Promise<T>,
): Promise<T> {
  const start = clock.monotonic()
  try {
    return await work()
  } finally {
    metrics.step(step, (clock.monotonic() - start) / 1000)
  }
}
