/**
 * No key without evidence: the Vault opens the data key of an object only after the decision to release it
 * was durable in a Verifier's log. Keys of objects outside this run's outbox are another run's.
 */
import { numberOf, objectOf, textOf, textsOf } from '../json.ts'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

export function judgeKeys({ decryptions, headerOf, verifierLogs }: Traces): readonly Violation[] {
  const decidedAt = new Map<string, number>()
  for (const { entries } of verifierLogs.values())
    for (const { fields, durableAt } of entries)
      if (fields['event'] === 'release.decided')
        for (const digest of textsOf(fields['headerDigests']))
          decidedAt.set(digest, Math.min(durableAt, decidedAt.get(digest) ?? Number.POSITIVE_INFINITY))

  return decryptions.flatMap((decryption) => {
    const sealId = textOf(objectOf(decryption['associatedData'])?.['sealId'])
    const digest = headerOf.get(sealId)
    if (digest === undefined) return []
    const decided = decidedAt.get(digest)
    if (decided !== undefined && decided <= numberOf(decryption['time'])) return []
    const text =
      decided === undefined ? 'opened without a decision' : 'opened before the decision was durable'
    return [{ invariant: 'key.unfounded', subject: sealId, text }]
  })
}
