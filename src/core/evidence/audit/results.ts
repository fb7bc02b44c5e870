/** Checks every manifest: its name and signature, its parts, and its agreement with both logs. */
import { createHash } from 'node:crypto'
import { fromUtf8, sha256, toBase64url } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { thumbprint } from '../../jwk.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { grantedTerms } from '../../policy/terms.ts'
import { resultIdOf } from '../../release/resultId.ts'
import { partName, type ResultManifest, ResultManifestFormat } from '../../sealed/manifest.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { claimedBoot, type OpenedManifest, openManifest } from '../manifest.ts'
import { noteDigest, openNote } from '../note.ts'
import type { Context } from './context.ts'
import { permissionOf, policyOf } from './decisions.ts'
import { type FindHere, messageOf } from './finding.ts'
import type { Logs } from './logs.ts'
import type { ResultReport } from './report.ts'

const MANIFEST = /^r\/([^/]+)\/result$/
const MAX_MANIFEST_BYTES = ResultManifestFormat.maxBytes * 2
/** Parts are single puts of 16 MiB. */
const MAX_PART_BYTES = 16 * 1024 * 1024

export async function readManifests({
  collection: { results },
  anchors: { registrations },
  findings,
}: Pick<Context, 'collection' | 'anchors' | 'findings'>): Promise<ReadonlyMap<string, OpenedManifest>> {
  const manifests = new Map<string, OpenedManifest>()
  for await (const name of results.list('r/')) {
    const [, resultId] = MANIFEST.exec(name) ?? []
    if (resultId === undefined) continue
    try {
      const jws = fromUtf8((await results.read(name, MAX_MANIFEST_BYTES)) ?? Buffer.alloc(0), name)
      manifests.set(resultId, openManifest(jws, resultId, registrations.get(claimedBoot(jws))))
    } catch (error) {
      findings.add('manifest.unverified', `${name}: ${messageOf(error)}`)
    }
  }
  return manifests
}

export async function judgeManifests(context: Context): Promise<ResultReport[]> {
  const reports: ResultReport[] = []
  for (const { manifest } of context.manifests.values()) {
    judgeManifest(manifest, context)
    const { resultId, releaseId, boot, committedAt, parts } = manifest
    const content = await judgeContent(manifest, context)
    reports.push({ resultId, releaseId, boot, committedAt, parts: parts.length, content })
  }
  judgeSightings(context)
  return reports
}

function judgeManifest(manifest: ResultManifest, { histories, logs, anchors, findings }: Context): void {
  const { boot, resultId, intentIndex, recipient } = manifest
  if (logs.isMissing(boot)) return
  const position = { boot, index: intentIndex }
  const find = findings.at(position, `result ${resultId}`)
  const intent = histories.intents.get(`${boot}/${intentIndex}`)?.entry
  if (
    intent?.resultId !== resultId ||
    intent.attempt !== manifest.attempt ||
    intent.releaseId !== manifest.releaseId ||
    intent.contentDigest !== manifest.contentDigest ||
    intent.termsDigest !== manifest.termsDigest ||
    intent.recipient !== recipient.thumbprint
  )
    find('manifest.unannounced', `entry ${intentIndex} of its log does not announce it`)
  judgeCheckpoint(manifest.workerCheckpoint, position, logs, find)

  const history = histories.releases.get(manifest.releaseId)
  const receipt = history?.receipts.find(({ received }) => received.boot === boot)?.received.entry
  if (receipt === undefined) {
    find('manifest.contradicted', `its worker did not log the key of release ${manifest.releaseId}`)
    return
  }
  judgeCheckpoint(manifest.verifierCheckpoint, receipt.verifier, logs, find)
  const [decided] = history?.decided ?? []
  const policy = decided && policyOf(decided, anchors)
  const permission = decided && permissionOf(decided, anchors)
  const agreements: readonly (readonly [boolean, string])[] = [
    [receipt.grantDigest === manifest.grantDigest, 'its worker received another grant'],
    [receipt.traceparent === manifest.traceparent, 'its worker received it under another trace'],
    [receipt.headerDigests.join() === manifest.headerDigests.join(), 'its worker received other objects'],
    [
      receipt.verifier.checkpointDigest === noteDigest(manifest.verifierCheckpoint),
      "its worker received another checkpoint of the Verifier's log",
    ],
    [
      permission === undefined || thumbprint(permission.recipient.jwk) === recipient.thumbprint,
      'the policy names another recipient',
    ],
    [
      permission === undefined || permission.workload.digest === manifest.workload.digest,
      'the policy names another workload',
    ],
    [
      permission === undefined || grantedTerms(permission).termsDigest === manifest.termsDigest,
      'the policy has other terms',
    ],
    [
      decided === undefined ||
        policy === undefined ||
        permission === undefined ||
        resultId ===
          resultIdOf({
            tenant: policy.tenant,
            dataset: decided.entry.dataset,
            permission: permission.id,
            edition: permission.edition,
            headerDigests: manifest.headerDigests,
          }),
      'its name is not that of its objects, permission and edition',
    ],
  ]
  for (const [holds, what] of agreements) if (!holds) find('manifest.contradicted', what)
}

/** A manifest keeps both checkpoints, so that neither log can be cut back before it without a trace. */
function judgeCheckpoint(
  note: string,
  { boot, index }: { readonly boot: string; readonly index: number },
  logs: Logs,
  find: FindHere,
): void {
  const log = logs.get(boot)
  if (log === undefined) {
    if (!logs.isMissing(boot)) find('checkpoint.missing', `${boot} has no log`)
    return
  }
  try {
    const { size, root } = parseCheckpoint(openNote(note, [log.key]).text)
    const checkpoint = `checkpoint ${size} of ${boot}`
    const stored = log.replay.roots.get(size)
    if (stored === undefined) find('checkpoint.missing', `${checkpoint} is in the manifest, not in the log`)
    else if (!stored.equals(root))
      find('checkpoint.forked', `${checkpoint} has another root in the manifest than in the log`)
    if (size <= index) find('manifest.contradicted', `${checkpoint} does not cover entry ${index}`)
  } catch (error) {
    find('manifest.contradicted', `a checkpoint in the manifest: ${messageOf(error)}`)
  }
}

async function judgeContent(
  { resultId, attempt, parts, contentDigest }: ResultManifest,
  { collection: { results }, findings }: Context,
): Promise<ResultReport['content']> {
  const content = createHash('sha256')
  let absent = 0
  let wrong = false
  for (const [n, { size, digest }] of parts.entries()) {
    const name = partName(resultId, attempt, n)
    const bytes = await readPart(results, name)
    if (bytes === undefined) absent += 1
    else if (bytes.byteLength !== size || toBase64url(sha256(bytes)) !== digest) {
      findings.add('content.altered', `${name} is not the part in the manifest`)
      wrong = true
    } else content.update(bytes)
  }
  if (absent === parts.length) return 'not in the collection'
  if (absent > 0)
    findings.add('content.missing', `${absent} of ${parts.length} parts of ${resultId} are absent`)
  else if (!wrong && content.digest('base64url') !== contentDigest) {
    findings.add('content.altered', `the parts of ${resultId} do not have the content digest of its manifest`)
    wrong = true
  }
  return absent > 0 || wrong ? 'wrong' : 'checked'
}

/** An oversized part counts as an altered one. */
async function readPart(results: ObjectReader, name: string): Promise<Buffer | undefined> {
  try {
    return await results.read(name, MAX_PART_BYTES)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return Buffer.alloc(0)
  }
}

/** Compares the workers' entries about manifests with the manifests that are present. */
function judgeSightings({ histories: { sightings, releases }, manifests, findings }: Context): void {
  const made = new Set<string>()
  for (const { boot, index, entry } of sightings) {
    const { event, resultId, releaseId } = entry
    const present = manifests.get(resultId)
    const find = findings.at({ boot, index }, `${event} of result ${resultId}`)
    if (event === 'result.foreign') {
      find('manifest.unverified', 'its worker found a manifest that no registered worker signed')
      continue
    }
    if (present === undefined) find('manifest.missing', 'the manifest is absent')
    else if (present.digest !== entry.manifestDigest)
      find('manifest.contradicted', 'another manifest is present')
    if (event === 'result.superseded') continue
    if (made.has(resultId)) find('result.repeated', 'it was made visible before')
    made.add(resultId)
    const intents = releases.get(releaseId)?.receipts.flatMap((receipt) => receipt.intents) ?? []
    const announced = intents.some(
      (intent) =>
        intent.boot === boot &&
        intent.index < index &&
        intent.entry.resultId === resultId &&
        intent.entry.attempt === entry.attempt,
    )
    if (!announced) find('manifest.unannounced', 'no result.intent precedes it')
  }
}
