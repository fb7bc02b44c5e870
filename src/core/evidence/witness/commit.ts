/**
 * The commit of a result: which output the provider lets become visible, written once before the first permit.
 * The results bucket is the consumer's, who may swallow a manifest and ask again; he then gets the same output
 * or nothing.
 */
import { z } from 'zod'
import { defineFormat } from '../../canonical.ts'
import { randomId, sequence, sha256Digest, version1 } from '../../fields.ts'

const Commit = z.strictObject({
  v: version1,
  outputDigest: sha256Digest,
  /** The consent lists that its release applied. Null: the dataset has none. */
  consent: z.strictObject({ seq: sequence, digest: sha256Digest }).nullable(),
  /** Of the first permit. */
  releaseId: randomId,
})
export type Commit = z.output<typeof Commit>

export const CommitFormat = defineFormat({
  name: 'commit',
  maxBytes: 1024,
  code: 'evidence.malformed',
  schema: Commit,
})

const COMMITS = 'commit/'

export function commitName(resultId: string): string {
  return `${COMMITS}${resultId}`
}
