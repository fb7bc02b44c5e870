/**
 * POST /v1/logs/<boot>/checkpoints. Two statements: the cosignature, which every registered worker's log gets
 * that continues itself and can be read, also a revoked one; and one permit per intent, or its refusal.
 */
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import {
  CheckpointSubmission,
  LogPath,
  MAX_INTENTS,
  type WitnessAnswer,
} from '#core/evidence/witness/submission.ts'
import type { Boot } from './boot.ts'
import { withinLimit } from './periodicTasks.ts'
import { decidePermits, type PermittingBoot } from './permits.ts'

type WitnessingBoot = PermittingBoot &
  Pick<Boot, 'requestSeconds' | 'registrations' | 'witnessedLogs' | 'grantKeys'>

/** Of an intent: three members. */
const MAX_VALUES = 8 + MAX_INTENTS * 4

/** Throws the code of a submission that is refused as a whole. */
export async function answerCheckpoint(
  path: unknown,
  body: Uint8Array,
  boot: WitnessingBoot,
): Promise<WitnessAnswer> {
  return await withinLimit(boot.requestSeconds * 1000, undefined, async (deadline) => {
    const { boot: id } = checkShape(LogPath, path, 'path', 'request.malformed')
    const { checkpoint, intents } = checkShape(
      CheckpointSubmission,
      under('request.malformed', () => parseJson(body, 'submission', MAX_VALUES)),
      'submission',
      'request.malformed',
    )
    const owner = await boot.registrations.find(id, deadline)
    if (owner?.role !== 'worker')
      throw new CodedError('boot.unregistered', `${id} is not registered as a worker`)
    const { revocation } = boot.policyStore.inForce()
    const cosigned = await boot.witnessedLogs.cosign(owner, checkpoint, deadline)
    const grantKey = boot.grantKeys.current()
    return {
      cosigned: cosigned.note,
      status: revocation.boots.includes(id) ? 'revoked' : 'current',
      grantKey: grantKey.certificate,
      permits: await decidePermits(intents, id, cosigned, grantKey, boot, deadline),
    }
  })
}
