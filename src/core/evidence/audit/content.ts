/** Compares the parts of a result with its manifest. They may be absent: the copy of an auditor has none. */
import { createHash } from 'node:crypto'
import { sha256, toBase64url } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { partName, type ResultManifest } from '../../sealed/manifest.ts'
import type { Context } from './context.ts'
import type { ResultReport } from './report.ts'

/** Parts are single puts of 16 MiB. */
const MAX_PART_BYTES = 16 * 1024 * 1024

export async function judgeContent(
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
