/**
 * POST /v1/logs/<boot>/checkpoints: a worker's checkpoint for the Verifier to cosign, with the intents under
 * it that ask for a permit, and the answer. In the shape of c2sp.org/tlog-witness, without proofs: the
 * Verifier reads the tiles itself, so that what it cosigns is also there.
 */
import { z } from 'zod'
import { boot, compactJws, count, noteText } from '../../fields.ts'

/** As many as a batch has jobs. */
export const MAX_INTENTS = 64

export const LogPath = z.strictObject({ boot })

export const CheckpointSubmission = z.strictObject({
  /** Signed by the evidence key of the boot. */
  checkpoint: noteText,
  intents: z
    .array(
      z.strictObject({
        /** Of `result.intent` in the log. */
        index: count,
        /** What allows it, and the certificate of the key that signed that. */
        grant: compactJws,
        grantKey: compactJws,
      }),
    )
    .max(MAX_INTENTS),
})
export type CheckpointSubmission = z.output<typeof CheckpointSubmission>
export type SubmittedIntent = CheckpointSubmission['intents'][number]

const PermitAnswer = z.union([
  z.strictObject({ permit: compactJws }),
  /** A refusal that the grant key signed. */
  z.strictObject({ refusal: compactJws }),
])
export type PermitAnswer = z.output<typeof PermitAnswer>

export const WitnessAnswer = z.strictObject({
  /** The checkpoint with the Verifier's cosignature. */
  cosigned: noteText,
  /** `revoked`: the boot is. Its log is witnessed all the same, and nothing of it is permitted. */
  status: z.enum(['current', 'revoked']),
  /** Certifies the key that signs the permits of this answer. */
  grantKey: compactJws,
  /** One per intent, in order. */
  permits: z.array(PermitAnswer).max(MAX_INTENTS),
})
export type WitnessAnswer = z.output<typeof WitnessAnswer>
