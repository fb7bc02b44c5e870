/**
 * Every uploaded object ends in exactly one visible result or, for a permitted reason, as a dead letter. Both
 * only if the result came later, so that the letter is overtaken.
 */
import { textOf, textsOf } from '../json.ts'
import type { Traces } from '../traces.ts'
import type { UploadedObject, Violation } from '../world.ts'

export function judgeEnds(traces: Traces): readonly Violation[] {
  return traces.world.uploads.flatMap((upload) => judgeEnd(traces, upload))
}

function judgeEnd({ manifests, deadLetters }: Traces, upload: UploadedObject): readonly Violation[] {
  const { name: subject, expected, jobId, headerDigest } = upload
  const violations: Violation[] = []
  const violate = (invariant: string, text: string) => violations.push({ invariant, subject, text })
  const results = manifests.filter(({ payload }) => textsOf(payload['headerDigests']).includes(headerDigest))
  const letters = deadLetters.filter(({ body }) => body['jobId'] === jobId)
  const codes = [...new Set(letters.map(({ body }) => textOf(body['code'])))]

  if (results.length === 0 && letters.length === 0)
    violate('object.unended', 'neither a result nor a dead letter')
  if (results.length > 1)
    violate('object.repeated', `${results.length} results: ${results.map(({ name }) => name).join(', ')}`)
  if (results.length > 0 && !expected.result)
    violate('object.unexpected-result', 'this object may have no result')
  for (const code of codes)
    if (!expected.deadLetter.includes(code)) violate('object.set-aside', `set aside as ${code}`)
  if (codes.length > 1) violate('object.set-aside-twice', `set aside as ${codes.join(' and ')}`)
  const visibleAt = Math.min(...results.map(({ createdAt }) => createdAt))
  for (const { time, body } of letters)
    if (time > visibleAt)
      violate('object.both', `set aside as ${textOf(body['code'])} ${time - visibleAt} ms after its result`)
  return violations
}
