/**
 * POST /v1/releases. A request that is not authentic costs only time and is counted. From then on every
 * answer is a decision, and every decision is in the log before it leaves the process.
 *
 * Crash argument. A key leaves the Vault only after `release.decided` is durable, and leaves this process
 * only after `release.issued` is. A crash in between leaves a decision without an end, which an auditor sees,
 * and the worker without an answer. Its nonce is spent, so it asks again with a new challenge.
 */
import type { ReleaseResponse } from '#core/release/request.ts'
import { authenticate } from './authenticate.ts'
import type { Boot } from './boot.ts'
import { decideJobs } from './decision.ts'
import { recordDecisions, storeDecisions } from './decisionRecord.ts'
import { issueAll } from './issuance.ts'

/** Throws the code of a request that fails as a whole. A refused job is one of the answers. */
export async function answerRelease(body: Uint8Array, boot: Boot): Promise<ReleaseResponse> {
  const now = boot.clock.now()
  const grantKey = boot.grantKeys.current()
  const authentic = authenticate(body, boot, now)
  const decisions = await decideJobs(authentic, boot, now)
  const recorded = recordDecisions(authentic, decisions, boot)
  const { checkpoint } = await storeDecisions(recorded, boot)
  const answers = await issueAll(recorded, { authentic, checkpoint, grantKey, now }, boot)
  await boot.evidence.flush()
  return { verifierKeys: authentic.inForce.keys.signed, grantKey: grantKey.certificate, answers }
}
