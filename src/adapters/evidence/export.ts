/** Copies both sides' evidence from its buckets into one folder, as an audit reads it. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import PQueue from 'p-queue'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { ListedObject, ObjectStore } from '#ports/objectStore.ts'
import { FOLDERS, NAMESPACE } from './collection.ts'

export type EvidenceBuckets = {
  readonly provider: {
    readonly namespace: string
    readonly governance: string
    /** The Verifiers' logs and registrations. */
    readonly evidence: string
    readonly workerEvidence: string
  }
  readonly consumer: { readonly namespace: string; readonly results: string }
}

export type ExportOptions = {
  /** The folder, created if it is absent. Objects that are there already are kept and not read again. */
  readonly out: string
  /** The pin, copied to `trust.json`. */
  readonly trust?: string | undefined
}

export type ExportDeps = {
  readonly store: Pick<ObjectStore, 'list' | 'readAll'>
  readonly signal?: AbortSignal | undefined
}

export type ExportedEvidence = {
  readonly folder: string
  /** Objects per folder: copied now, and kept from an earlier run. */
  readonly copied: Readonly<Record<string, number>>
  readonly kept: Readonly<Record<string, number>>
}

/** The largest object of evidence is a bundle of 256 entries of 64 KiB. */
const MAX_OBJECT_BYTES = 32 * 1024 * 1024
const AT_ONCE = 8
/** Only the manifests of results: their parts hold the researchers' content. */
const MANIFEST = /^r\/[0-9a-f]{64}\/result$/
const ANY = /./s

/**
 * Evidence is written once, so a second run copies only new objects. Throws `output.exists` if an object in
 * the folder differs in size from the bucket's, `input.unreadable` for a pin that cannot be read, and the
 * services' codes.
 */
export async function exportEvidence(
  { provider, consumer }: EvidenceBuckets,
  options: ExportOptions,
  deps: ExportDeps,
): Promise<ExportedEvidence> {
  const folder = createFolderStore({ root: options.out, namespace: NAMESPACE })
  const sources = [
    { namespace: provider.namespace, bucket: provider.governance, folder: FOLDERS.governance, only: ANY },
    { namespace: provider.namespace, bucket: provider.evidence, folder: FOLDERS.verifierLogs, only: ANY },
    { namespace: provider.namespace, bucket: provider.workerEvidence, folder: FOLDERS.workerLogs, only: ANY },
    { namespace: consumer.namespace, bucket: consumer.results, folder: FOLDERS.results, only: MANIFEST },
  ]
  const copied: Record<string, number> = {}
  const kept: Record<string, number> = {}
  for (const source of sources) {
    const counts = await copyBucket(source, folder, deps)
    copied[source.folder] = counts.copied
    kept[source.folder] = counts.kept
  }
  if (options.trust !== undefined) await copyTrust(options.trust, join(options.out, 'trust.json'))
  return { folder: options.out, copied, kept }
}

async function copyBucket(
  source: {
    readonly namespace: string
    readonly bucket: string
    readonly folder: string
    readonly only: RegExp
  },
  folder: ObjectStore,
  { store, signal }: ExportDeps,
): Promise<{ readonly copied: number; readonly kept: number }> {
  const { namespace, bucket } = source
  const queue = new PQueue({ concurrency: AT_ONCE })
  const failures: unknown[] = []
  let copied = 0
  let kept = 0
  const copy = async ({ name, size }: ListedObject) => {
    const target = { namespace: NAMESPACE, bucket: source.folder, name }
    const present = await sizeOf(folder, target)
    if (present === size) {
      kept += 1
      return
    }
    if (present !== undefined)
      throw new CodedError(
        'output.exists',
        `${source.folder}/${name} has ${present} bytes, in its bucket ${size}`,
      )
    await folder.create(target, await store.readAll({ namespace, bucket, name }, MAX_OBJECT_BYTES, signal))
    copied += 1
  }
  for await (const object of store.list({ namespace, bucket }, '', undefined, signal)) {
    if (!source.only.test(object.name)) continue
    await queue.onSizeLessThan(AT_ONCE * 4)
    if (failures.length > 0) break
    queue.add(() => copy(object)).catch((error: unknown) => failures.push(error))
  }
  await queue.onIdle()
  if (failures.length > 0) throw failures[0]
  return { copied, kept }
}

async function sizeOf(folder: ObjectStore, ref: Parameters<ObjectStore['head']>[0]) {
  try {
    return (await folder.head(ref)).size
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}

async function copyTrust(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to)
  } catch (cause) {
    throw new CodedError('input.unreadable', `the pin ${from} cannot be copied to ${to}`, { cause })
  }
}
