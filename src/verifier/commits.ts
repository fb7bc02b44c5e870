/** Commits of results: one create-once object each, in the Verifiers' own bucket (core/evidence/witness/commit.ts). */
import { CodedError } from '#core/errors.ts'
import { type Commit, CommitFormat, commitName } from '#core/evidence/witness/commit.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

export type Commits = {
  /** Throws `result.committed` if another output of this result is committed. The same one may come again. */
  readonly win: (resultId: string, commit: Commit, signal: AbortSignal) => Promise<void>
}

export function createCommits(
  store: Pick<ObjectStore, 'create' | 'readAll'>,
  bucket: Omit<ObjectRef, 'name'>,
): Commits {
  return {
    win: async (resultId, commit, signal) => {
      const object = { ...bucket, name: commitName(resultId) }
      if (await createIfAbsent(store, object, CommitFormat.encode(commit), signal)) return
      const first = CommitFormat.decode(await store.readAll(object, CommitFormat.maxBytes, signal))
      if (first.outputDigest !== commit.outputDigest)
        throw new CodedError(
          'result.committed',
          `${resultId} has another output, of release ${first.releaseId}`,
        )
    },
  }
}
