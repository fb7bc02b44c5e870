/** Opens a result on the researcher's own machine: verified, decrypted and written to a new file. */

import { type ResultTrust, readManifest } from '#adapters/evidence/resultManifest.ts'
import { assertAbsent, createFile } from '#adapters/system/files.ts'
import type { Progress } from '#adapters/system/progress.ts'
import { fromBase64url } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { resultId as resultIdField } from '#core/fields.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceFolder } from '#core/policy/bucket.ts'
import { isFor } from '#core/policy/envelope.ts'
import { REVOCATION } from '#core/policy/revocation.ts'
import { revokedSince } from '#core/policy/revoked.ts'
import type { SegmentCipher } from '#core/sealed/cipher.ts'
import { partName, type ResultManifest } from '#core/sealed/manifest.ts'
import { openResult, PART_BYTES, verifyParts } from '#core/sealed/result.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { KeyVault } from '#ports/keyVault.ts'

export type OpenDeps = {
  /** The results bucket. */
  readonly results: ObjectReader
  readonly trust: ResultTrust
  /** The Vault with the recipient's key. */
  readonly vault: Pick<KeyVault, 'decryptRsa'>
  readonly cipher: SegmentCipher
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

export type OpenedResult = {
  readonly resultId: string
  readonly file: string
  /** Bytes of the content. */
  readonly size: number
  readonly contentType: string
  readonly workload: string
  readonly boot: string
  readonly simulation: boolean
  /** Seconds since the epoch, by the Verifier's time. */
  readonly committedAt: number
  /** Seconds since the epoch: when the provider revoked the boot; null if it did not. */
  readonly revokedAt: number | null
}

export type ListedResult = { readonly resultId: string }

/**
 * Writes the content of a result to `out`, in constant memory; on failure it leaves no file. Throws the codes
 * of `readManifest`, `result.revoked`, `key.unopened`, `object.unopened`, `output.exists` and the services' codes.
 */
export async function openResultFile(
  options: {
    readonly resultId: string
    readonly out: string
    /** Opens a result of a revoked boot, too. */
    readonly revoked?: boolean
  },
  deps: OpenDeps,
): Promise<OpenedResult> {
  const { out } = options
  const resultId = checkShape(resultIdField, options.resultId, 'the result id', 'usage.invalid')
  await assertAbsent(out)
  const manifest = await readManifest(deps.results, resultId, deps.trust)
  const revokedAt = await readRevocation(manifest.boot, deps.trust)
  if (revokedAt !== null && options.revoked !== true)
    throw new CodedError(
      'result.revoked',
      `worker ${manifest.boot} was revoked at ${toRfc3339(toUnixSeconds(revokedAt))}, and may not have made this result`,
    )
  const size = await createFile(out, contentOf(manifest, deps))
  const { contentType, workload, boot, simulation, committedAt } = manifest
  return {
    resultId,
    file: out,
    size,
    contentType,
    workload: workload.name,
    boot,
    simulation,
    committedAt,
    revokedAt,
  }
}

async function readRevocation(boot: string, trust: ResultTrust): Promise<number | null> {
  const { governance, providerRoot, deployment } = trust
  const folder = new GovernanceFolder(REVOCATION, governance, providerRoot)
  await folder.refresh()
  const ours = folder.documents.filter((list) => isFor(list, deployment))
  return revokedSince(ours, providerRoot, 'boots', boot) ?? null
}

/** The ids of all results in the bucket. Nothing is verified before a result is opened. */
export async function* listResults(results: Pick<ObjectReader, 'list'>): AsyncGenerator<ListedResult> {
  for await (const name of results.list('r/')) {
    const [, resultId] = /^r\/([0-9a-f]{64})\/result$/.exec(name) ?? []
    if (resultId !== undefined) yield { resultId }
  }
}

async function* contentOf(manifest: ResultManifest, deps: OpenDeps): AsyncGenerator<Uint8Array> {
  const { resultId, recipient } = manifest
  const wrapped = fromBase64url(manifest.wrappedDek)
  const dek = await deps.vault.decryptRsa(recipient.keyId, recipient.keyVersionId, wrapped)
  try {
    const parts = verifyParts(manifest, readParts(manifest, deps))
    yield* openResult({ resultId, dek, parts, cipher: deps.cipher, ownership: 'lent' })
  } finally {
    dek.fill(0)
  }
}

async function* readParts(
  { resultId, attempt, parts }: ResultManifest,
  { results, progress, signal }: OpenDeps,
): AsyncGenerator<Uint8Array> {
  const total = parts.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  for (const [index, { size }] of parts.entries()) {
    signal?.throwIfAborted()
    const bytes = await results.read(partName(resultId, attempt, index), Math.min(size, PART_BYTES))
    if (bytes === undefined)
      throw new CodedError('object.unopened', `part ${index} of ${parts.length} is missing`)
    yield bytes
    done += bytes.byteLength
    progress?.(done, total)
  }
}
