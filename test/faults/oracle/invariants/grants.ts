/**
 * No result without a grant and evidence: the release of every manifest is decided and issued in a Verifier's
 * log, received and announced in the log of the worker that signed it, each before the next.
 */
import { type EvidenceLog, isSignature, type LoggedEntry } from '../evidenceLog.ts'
import { type Json, textOf, textsOf } from '../json.ts'
import type { Manifest } from '../manifests.ts'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

export function judgeGrants({ manifests, workerLogs, verifierLogs }: Traces): readonly Violation[] {
  return [...wholeLogs([...workerLogs.values(), ...verifierLogs.values()])].concat(
    manifests.flatMap((manifest) =>
      judgeManifest(manifest, workerLogs, [...verifierLogs.values()]).map((text) => ({
        invariant: 'result.unfounded',
        subject: manifest.name,
        text,
      })),
    ),
  )
}

function wholeLogs(logs: readonly EvidenceLog[]): readonly Violation[] {
  return logs.flatMap(({ boot, faults }) =>
    faults.map((text) => ({ invariant: 'log.broken', subject: boot, text })),
  )
}

function judgeManifest(
  { name, payload, createdAt, signed, signature }: Manifest,
  workerLogs: ReadonlyMap<string, EvidenceLog>,
  verifierLogs: readonly EvidenceLog[],
): readonly string[] {
  const releaseId = textOf(payload['releaseId'])
  const log = workerLogs.get(textOf(payload['boot']))
  if (name !== `r/${textOf(payload['resultId'])}/result`) return ['its name is another']
  if (log === undefined) return [`no log of the boot ${textOf(payload['boot'])} that it names`]
  if (!isSignature(log.publicKey, signed, signature)) return ['the boot that it names has not signed it']

  const decided = find(verifierLogs, 'release.decided', { releaseId })
  const issued = find(verifierLogs, 'release.issued', { releaseId, grantDigest: payload['grantDigest'] })
  const received = find([log], 'key.received', { releaseId, grantDigest: payload['grantDigest'] })
  const intent = find([log], 'result.intent', {
    releaseId,
    resultId: payload['resultId'],
    attempt: payload['attempt'],
    contentDigest: payload['contentDigest'],
  })
  const steps = {
    'release.decided': decided,
    'release.issued': issued,
    'key.received': received,
    'result.intent': intent,
  }
  const absent = Object.entries(steps).filter(([, entry]) => entry === undefined)
  if (absent.length > 0) return absent.map(([event]) => `no ${event} of its release`)

  const found: string[] = []
  const inOrder = (before: LoggedEntry | undefined, after: LoggedEntry | undefined) =>
    before !== undefined && after !== undefined && before.index < after.index
  if (!inOrder(decided, issued)) found.push('issued before it was decided')
  if (!inOrder(received, intent)) found.push('announced before the key was received')
  if (intent?.index !== payload['intentIndex']) found.push('its announcement has another index')
  if ((intent?.durableAt ?? Number.NaN) > createdAt) found.push('visible before its announcement was durable')
  if ((issued?.durableAt ?? Number.NaN) > (received?.durableAt ?? Number.NaN))
    found.push('received before it was issued')
  for (const digest of textsOf(payload['headerDigests']))
    if (!textsOf(decided?.fields['headerDigests']).includes(digest))
      found.push(`nobody decided about ${digest}`)
  return found
}

function find(logs: readonly EvidenceLog[], event: string, fields: Json): LoggedEntry | undefined {
  const wanted = Object.entries({ event, ...fields })
  for (const { entries } of logs) {
    const found = entries.find((entry) => wanted.every(([name, value]) => entry.fields[name] === value))
    if (found !== undefined) return found
  }
  return undefined
}
