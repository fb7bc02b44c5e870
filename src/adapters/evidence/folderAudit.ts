/** Audits a folder with copies of the buckets, which needs no network and no secret key, or the buckets. */
import type { KeyObject } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfPresent } from '#adapters/system/files.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { type AuditOptions, auditCollection } from '#core/evidence/audit/audit.ts'
import type { EvidenceReport } from '#core/evidence/audit/report.ts'
import type { Compute } from '#core/evidence/audit/tasks.ts'
import { Counts } from '#core/evidence/entry.ts'
import { thumbprint } from '#core/jwk.ts'
import { openSealed } from '#core/release/jwe.ts'
import { TrustAnchors } from '#core/release/trust.ts'
import { bucketReader, openCollection } from './collection.ts'
import { openComputeThreads } from './computeThreads.ts'
import type { EvidenceBuckets } from './export.ts'

const MAX_TRUST_BYTES = 64 * 1024

export type TrustReport = {
  /**
   * `collection`: the pin came with the evidence that it is to check; compare the thumbprints by another way.
   */
  readonly source: 'file' | 'collection'
  readonly threshold: number
  readonly keys: readonly { readonly person: string; readonly thumbprint: string }[]
}

type FolderAuditOptions = Pick<AuditOptions, 'rows' | 'simulation' | 'onRelease' | 'onEntry'> & {
  readonly trust?: string | undefined
  /** Opens the counts of results. Without it they stay sealed. */
  readonly auditKey?: KeyObject | undefined
}

export type FolderReport = EvidenceReport & { readonly trust: TrustReport }

/**
 * `dir` holds `governance/`, `evidence-verifier/`, `evidence-worker/` and `results/` with object names as
 * paths, and `trust.json` unless `trust` names another file. Throws `input.unreadable` if there is nothing to
 * audit, or no root.
 */
export async function auditFolder(dir: string, options: FolderAuditOptions): Promise<FolderReport> {
  const folder = await stat(dir).catch(() => undefined)
  if (folder?.isDirectory() !== true) throw new CodedError('input.unreadable', `${dir} is not a folder`)
  const { providerRoot } = await readTrust(options.trust ?? join(dir, 'trust.json'))
  const { auditKey } = options
  const openCounts = auditKey && ((counts: string) => countsOf(counts, auditKey))
  const report = await inThreads((compute) =>
    auditCollection(openCollection(dir), { ...options, providerRoot, openCounts, compute }),
  )
  const trust: TrustReport = {
    source: options.trust === undefined ? 'collection' : 'file',
    threshold: providerRoot.threshold,
    keys: providerRoot.keys.map(({ person, jwk }) => ({ person, thumbprint: thumbprint(jwk) })),
  }
  const isUnconfirmed = report.verdict === 'intact' && trust.source === 'collection'
  return { ...report, verdict: isUnconfirmed ? 'consistent' : report.verdict, trust }
}

/** Undefined if they are sealed to another key, or malformed. */
function countsOf(sealed: string, auditKey: KeyObject): Counts | undefined {
  try {
    const plaintext = openSealed(sealed, auditKey)
    return checkShape(Counts, parseJson(plaintext, 'counts'), 'counts', 'evidence.malformed')
  } catch (error) {
    if (error instanceof CodedError) return undefined
    throw error
  }
}

/** Audits the buckets themselves. Throws `input.unreadable` without a root, and the services' codes. */
export async function auditBuckets(
  { provider, consumer }: EvidenceBuckets,
  options: FolderAuditOptions & { readonly trust: string },
  store: Parameters<typeof bucketReader>[0],
): Promise<EvidenceReport> {
  const { providerRoot } = await readTrust(options.trust)
  const inProvider = (bucket: string) => bucketReader(store, { namespace: provider.namespace, bucket })
  const collection = {
    governance: inProvider(provider.governance),
    verifierLogs: inProvider(provider.evidence),
    workerLogs: inProvider(provider.workerEvidence),
    results: bucketReader(store, { namespace: consumer.namespace, bucket: consumer.results }),
  }
  return await inThreads((compute) => auditCollection(collection, { ...options, providerRoot, compute }))
}

async function inThreads<T>(work: (compute: Compute) => Promise<T>): Promise<T> {
  const threads = openComputeThreads()
  try {
    return await work(threads.compute)
  } finally {
    await threads.close()
  }
}

/** The pin of a file. Throws `input.unreadable`. */
export async function readTrust(path: string): Promise<TrustAnchors> {
  const bytes = await readIfPresent(path, MAX_TRUST_BYTES, 'input.unreadable')
  if (bytes === undefined)
    throw new CodedError('input.unreadable', `${path} does not exist; name the pin with --trust FILE`)
  return checkShape(TrustAnchors, parseJson(bytes, path), path, 'input.unreadable')
}
