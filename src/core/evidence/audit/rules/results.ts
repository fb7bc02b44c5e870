/** Checks every manifest: its agreement with both logs and with the terms of its permission, and its parts. */
import { thumbprint } from '../../../jwk.ts'
import { grantedTerms } from '../../../policy/terms.ts'
import { resultIdOf } from '../../../release/resultId.ts'
import type { ResultManifest } from '../../../sealed/manifest.ts'
import { parseCheckpoint } from '../../checkpoint.ts'
import type { OpenedManifest } from '../../manifest.ts'
import { noteDigest, openNote } from '../../note.ts'
import type { Anchors } from '../anchors.ts'
import { judgeContent } from '../content.ts'
import type { Context, Rule } from '../context.ts'
import { type FindHere, messageOf } from '../finding.ts'
import { type Decided, intentOf, type Life } from '../life.ts'
import type { Logs } from '../log/logs.ts'
import { judgePermit } from '../permits.ts'
import type { ResultReport } from '../report.ts'
import { permissionOf, policyOf } from './decisions.ts'

/** Reports each manifest once: with the life of its release, or at the end if no release led to it. */
export function results(
  context: Context,
  report: (result: ResultReport, manifest: ResultManifest) => void,
): Rule {
  const { manifests } = context
  return {
    life: async (life) => {
      for (const resultId of resultsOf(life, context)) {
        const opened = await manifests.get(resultId)
        if (opened?.manifest.releaseId === life.releaseId) await judge(opened, life)
      }
    },
    end: async () => {
      for await (const some of manifests.unread()) {
        await manifests.prefetch(some)
        for (const resultId of some) await judgeAlone(resultId)
      }
      // Read for a release that did not make them.
      for (const resultId of manifests.unjudged()) await judgeAlone(resultId)
    },
  }

  async function judgeAlone(resultId: string): Promise<void> {
    const opened = await manifests.get(resultId)
    if (opened !== undefined) await judge(opened, undefined)
  }

  async function judge(opened: OpenedManifest, life: Life | undefined): Promise<void> {
    const { manifest } = opened
    if (!manifests.judge(manifest.resultId)) return
    judgeManifest(manifest, life, context)
    await judgePermit(opened, life, context)
    const { resultId, releaseId, boot, committedAt, parts } = manifest
    const content = await judgeContent(manifest, context)
    report({ resultId, releaseId, boot, committedAt, parts: parts.length, content }, manifest)
  }
}

/** The results that a release may have led to: what its workers name, and the one that its decision gives. */
export function resultsOf({ decided: [decided], receipts }: Life, { anchors }: Context): readonly string[] {
  const named = receipts.flatMap(({ intents, ends }) =>
    [...intents, ...ends].flatMap(({ entry }) => ('resultId' in entry ? entry.resultId : [])),
  )
  return [...new Set([...named, ...(decided === undefined ? [] : expectedOf(decided, anchors))])]
}

function expectedOf(decided: Decided, anchors: Anchors): readonly string[] {
  const policy = policyOf(decided, anchors)
  const permission = permissionOf(decided, anchors)
  if (policy === undefined || permission === undefined) return []
  const { dataset, headerDigests } = decided.entry
  const { id, edition } = permission
  return [resultIdOf({ tenant: policy.tenant, dataset, permission: id, edition, headerDigests })]
}

/** `life` is that of the release which it names; undefined if no log knows it, or it ended long before. */
function judgeManifest(
  manifest: ResultManifest,
  life: Life | undefined,
  { logs, anchors, findings }: Context,
): void {
  const { boot, resultId, intentIndex, recipient } = manifest
  if (logs.isMissing(boot)) return
  const position = { boot, index: intentIndex }
  const find = findings.at(position, `result ${resultId}`)
  const intent = intentOf(manifest, life)
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

  const receipt = life?.receipts.find(({ received }) => received.boot === boot)?.received.entry
  if (receipt === undefined) {
    find('manifest.contradicted', `its worker did not log the key of release ${manifest.releaseId}`)
    return
  }
  judgeCheckpoint(manifest.verifierCheckpoint, receipt.verifier, logs, find)
  const [decided] = life?.decided ?? []
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
    if (!logs.isMissing(boot)) find('checkpoint.missing', `no registered boot ${boot} has a log`)
    return
  }
  // A checkpoint of the log was verified with the log.
  const known = log.checkpoints.sizeOf(noteDigest(note))
  if (known !== undefined) {
    if (known <= index)
      find('manifest.contradicted', `checkpoint ${known} of ${boot} does not cover entry ${index}`)
    return
  }
  try {
    const { size, root } = parseCheckpoint(openNote(note, [log.key]).text)
    const checkpoint = `checkpoint ${size} of ${boot}`
    const stored = log.checkpoints.rootAt(size)
    if (stored === undefined) find('checkpoint.missing', `${checkpoint} is in the manifest, not in the log`)
    else if (!stored.equals(root))
      find('checkpoint.forked', `${checkpoint} has another root in the manifest than in the log`)
    if (size <= index) find('manifest.contradicted', `${checkpoint} does not cover entry ${index}`)
  } catch (error) {
    find('manifest.contradicted', `a checkpoint in the manifest: ${messageOf(error)}`)
  }
}
