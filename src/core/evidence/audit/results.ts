/** Every manifest against its name, its signature, its parts, and what both logs say of it. */

import { createHash } from 'node:crypto'
import type { Registration } from '../../boot/registration.ts'
import { fromUtf8, sha256, toBase64url } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { thumbprint } from '../../jwk.ts'
import { peekCompact, verifyCompact } from '../../jws.ts'
import {
  manifestDigest,
  manifestName,
  partName,
  type ResultManifest,
  ResultManifestFormat,
} from '../../sealed/manifest.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { noteDigest, openNote } from '../note.ts'
import type { Anchors } from './anchors.ts'
import type { Shelf } from './collection.ts'
import { permissionOf } from './decisions.ts'
import type { FindingCode, Findings } from './finding.ts'
import type { Lives } from './lives.ts'
import type { Logs } from './logs.ts'
import type { ResultReport } from './report.ts'

const MANIFEST = /^r\/[^/]+\/result$/
const MAX_MANIFEST_BYTES = ResultManifestFormat.maxBytes * 2
/** Parts are single puts of 16 MiB. */
const MAX_PART_BYTES = 16 * 1024 * 1024

/** A manifest that a registered worker has signed, under its own name. */
export type Manifest = { readonly manifest: ResultManifest; readonly digest: string }

export async function readManifests(
  shelf: Shelf,
  registrations: ReadonlyMap<string, Registration>,
  findings: Findings,
): Promise<ReadonlyMap<string, Manifest>> {
  const manifests = new Map<string, Manifest>()
  for await (const name of shelf.list('r/')) {
    if (!MANIFEST.test(name)) continue
    try {
      const jws = fromUtf8((await shelf.read(name, MAX_MANIFEST_BYTES)) ?? Buffer.alloc(0), name)
      const { boot } = peekCompact(ResultManifestFormat, jws, 'evidence.malformed').payload
      const registration = registrations.get(boot)
      const keys = registration?.role === 'worker' ? [registration.key] : []
      const { payload } = verifyCompact(ResultManifestFormat, jws, keys, 'evidence.inconsistent')
      if (name !== manifestName(payload.resultId))
        throw new CodedError('evidence.inconsistent', `it is the manifest of result ${payload.resultId}`)
      manifests.set(payload.resultId, { manifest: payload, digest: manifestDigest(jws) })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      findings.add('manifest.unverified', null, null, `${name}: ${error.message}`)
    }
  }
  return manifests
}

export async function judgeManifests(
  manifests: ReadonlyMap<string, Manifest>,
  shelf: Shelf,
  lives: Lives,
  logs: Logs,
  anchors: Anchors,
  findings: Findings,
): Promise<ResultReport[]> {
  const reports: ResultReport[] = []
  for (const { manifest } of manifests.values()) {
    judgeManifest(manifest, lives, logs, anchors, findings)
    const { resultId, releaseId, boot, committedAt, parts } = manifest
    const content = await judgeContent(manifest, shelf, findings)
    reports.push({ resultId, releaseId, boot, committedAt, parts: parts.length, content })
  }
  judgeSightings(lives, manifests, findings)
  return reports
}

function judgeManifest(
  manifest: ResultManifest,
  lives: Lives,
  logs: Logs,
  anchors: Anchors,
  findings: Findings,
): void {
  const { boot, resultId, intentIndex, recipient } = manifest
  const find = (code: FindingCode, what: string) =>
    findings.add(code, boot, intentIndex, `result ${resultId}: ${what}`)
  if (logs.isMissing(boot)) return
  const intent = lives.intents.get(`${boot}/${intentIndex}`)?.entry
  if (
    intent?.resultId !== resultId ||
    intent.attempt !== manifest.attempt ||
    intent.releaseId !== manifest.releaseId ||
    intent.contentDigest !== manifest.contentDigest ||
    intent.recipient !== recipient.thumbprint
  )
    find('manifest.unannounced', `entry ${intentIndex} of its log does not announce it`)
  judgeCheckpoint(manifest.workerCheckpoint, boot, intentIndex, logs, find)

  const life = lives.releases.get(manifest.releaseId)
  const held = life?.held.find(({ received }) => received.boot === boot)?.received.entry
  if (held === undefined) {
    find('manifest.contradicted', `its worker did not log the key of release ${manifest.releaseId}`)
    return
  }
  judgeCheckpoint(manifest.verifierCheckpoint, held.verifier.boot, held.verifier.index, logs, find)
  const [decided] = life?.decided ?? []
  const permission = decided && permissionOf(decided, anchors)
  const agreements: readonly (readonly [boolean, string])[] = [
    [held.grantDigest === manifest.grantDigest, 'the grant is not the one that its worker received'],
    [
      held.headerDigests.join() === manifest.headerDigests.join(),
      'the objects are not those that its worker received',
    ],
    [
      held.verifier.checkpointDigest === noteDigest(manifest.verifierCheckpoint),
      "the Verifier's checkpoint is not the one that its worker received",
    ],
    [
      permission === undefined || thumbprint(permission.recipient.jwk) === recipient.thumbprint,
      "it is not sealed to the policy's recipient",
    ],
    [
      permission === undefined || permission.workload.digest === manifest.workload.digest,
      "it is not the policy's workload",
    ],
  ]
  for (const [holds, what] of agreements) if (!holds) find('manifest.contradicted', what)
}

/** A manifest keeps both checkpoints, so that neither log can be cut back behind it without a trace. */
function judgeCheckpoint(
  note: string,
  boot: string,
  index: number,
  logs: Logs,
  find: (code: FindingCode, what: string) => void,
): void {
  const log = logs.get(boot)
  if (log === undefined) {
    if (!logs.isMissing(boot)) find('checkpoint.missing', `${boot} has no log`)
    return
  }
  try {
    const { size, root } = parseCheckpoint(openNote(note, [log.key]).text)
    const stored = log.replay.roots.get(size)
    if (stored === undefined)
      find('checkpoint.missing', `checkpoint ${size} of ${boot} is in the manifest, and not in the log`)
    else if (!stored.equals(root))
      find(
        'checkpoint.forked',
        `checkpoint ${size} of ${boot} has another root in the manifest than in the log`,
      )
    if (size <= index)
      find('manifest.contradicted', `checkpoint ${size} of ${boot} does not cover entry ${index}`)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    find('manifest.contradicted', `a checkpoint in the manifest: ${error.message}`)
  }
}

async function judgeContent(
  { resultId, attempt, parts, contentDigest }: ResultManifest,
  shelf: Shelf,
  findings: Findings,
): Promise<ResultReport['content']> {
  const content = createHash('sha256')
  let absent = 0
  let wrong = false
  for (const [n, { size, digest }] of parts.entries()) {
    const name = partName(resultId, attempt, n)
    const bytes = await readPart(shelf, name)
    if (bytes === undefined) absent += 1
    else if (bytes.byteLength !== size || toBase64url(sha256(bytes)) !== digest) {
      findings.add('content.altered', null, null, `${name} is not the manifest's part`)
      wrong = true
    } else content.update(bytes)
  }
  if (absent === parts.length) return 'not in the collection'
  if (absent > 0)
    findings.add('content.missing', null, null, `${absent} of ${parts.length} parts of ${resultId}`)
  else if (!wrong && content.digest('base64url') !== contentDigest) {
    findings.add(
      'content.altered',
      null,
      null,
      `the parts of ${resultId} are not the content of its manifest`,
    )
    wrong = true
  }
  return absent > 0 || wrong ? 'wrong' : 'checked'
}

/** An oversized part is as wrong as an altered one. */
async function readPart(shelf: Shelf, name: string): Promise<Buffer | undefined> {
  try {
    return await shelf.read(name, MAX_PART_BYTES)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return Buffer.alloc(0)
  }
}

/** What workers say to have made or seen, against the manifests that are there. */
function judgeSightings(
  { sightings, releases }: Lives,
  manifests: ReadonlyMap<string, Manifest>,
  findings: Findings,
) {
  const made = new Set<string>()
  for (const { boot, index, entry } of sightings) {
    const { event, resultId, releaseId } = entry
    const found = manifests.get(resultId)
    const find = (code: FindingCode, what: string) =>
      findings.add(code, boot, index, `${event} of result ${resultId}: ${what}`)
    if (event === 'result.foreign') {
      find('manifest.unverified', 'its worker found a manifest that no registered worker signed')
      continue
    }
    if (found === undefined) find('manifest.missing', 'no manifest is there')
    else if (found.digest !== entry.manifestDigest) find('manifest.contradicted', 'another manifest is there')
    if (event === 'result.superseded') continue
    if (made.has(resultId)) find('result.repeated', 'it was made visible before')
    made.add(resultId)
    const announced = releases
      .get(releaseId)
      ?.held.some(({ intents }) =>
        intents.some(
          (intent) =>
            intent.boot === boot &&
            intent.index < index &&
            intent.entry.resultId === resultId &&
            intent.entry.attempt === entry.attempt,
        ),
      )
    if (announced !== true) find('manifest.unannounced', 'no result.intent goes before it')
  }
}
