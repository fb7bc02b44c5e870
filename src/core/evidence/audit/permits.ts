/**
 * The permit of a visible result: it is of the output that the provider committed and that the worker's log
 * announced, under a checkpoint that the Verifier keeps.
 */
import type { OpenedManifest } from '../manifest.ts'
import { CommitFormat, commitName } from '../witness/commit.ts'
import type { Context } from './context.ts'
import { messageOf } from './finding.ts'
import { intentOf, type Life } from './life.ts'

/** `life` is that of the release which the manifest names; undefined if no log knows it. */
export async function judgePermit(
  { manifest, permit }: OpenedManifest,
  life: Life | undefined,
  { collection: { verifierLogs }, logs, witnessed, findings }: Context,
): Promise<void> {
  const { boot, resultId, intentIndex } = manifest
  const find = findings.at({ boot, index: intentIndex }, `result ${resultId}`)
  const intent = intentOf(manifest, life)
  if (!logs.isMissing(boot) && intent !== undefined && intent.outputDigest !== permit.outputDigest)
    find('manifest.contradicted', 'its permit is of another output than its intent')
  if (!witnessed.has(boot, permit.size))
    findings.of(boot)(
      'cosignature.missing',
      permit.size,
      `the checkpoint of result ${resultId} is cosigned, and the Verifier does not have it`,
    )
  try {
    const bytes = await verifierLogs.read(commitName(resultId), CommitFormat.maxBytes)
    if (bytes === undefined) find('commit.missing', 'the Verifier permitted it without a commit')
    else if (CommitFormat.decode(bytes).outputDigest !== permit.outputDigest)
      find('commit.contradicted', 'another output is committed')
  } catch (error) {
    find('commit.contradicted', `its commit: ${messageOf(error)}`)
  }
}
