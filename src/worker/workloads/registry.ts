/** The workloads that this worker carries, each under the digest of its own source file. */
import { readFile } from 'node:fs/promises'
import { fromBase64url, sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Grant } from '#core/release/grant.ts'
import { fhirSummary } from './fhirSummary.ts'
import type { Workload, WorkloadSource } from './workload.ts'

const SOURCES: readonly { readonly source: WorkloadSource; readonly file: string }[] = [
  { source: fhirSummary, file: './fhirSummary.ts' },
]

/** Reads the source files; called once, at start. */
export async function loadWorkloads(): Promise<readonly Workload[]> {
  return Promise.all(
    SOURCES.map(async ({ source, file }) => ({
      ...source,
      digest: toBase64url(sha256(await readFile(new URL(file, import.meta.url)))),
    })),
  )
}

/** `name@<hex SHA-256>`, as the trust anchors list a workload. */
export function workloadAnchor({ name, digest }: Pick<Workload, 'name' | 'digest'>): string {
  return `${name}@${toHex(fromBase64url(digest))}`
}

/** Throws `workload.unknown` if no workload has the grant's name and digest. */
export function findWorkload(workloads: readonly Workload[], wanted: Grant['workload']): Workload {
  const found = workloads.find(({ name, digest }) => name === wanted.name && digest === wanted.digest)
  if (found === undefined)
    throw new CodedError(
      'workload.unknown',
      `this worker has no workload ${wanted.name} with the granted digest`,
    )
  return found
}
