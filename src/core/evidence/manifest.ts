/**
 * The origin of a result: a manifest counts only if its boot is registered as a worker, the boot's key signed
 * it, it is about the result under whose name it is stored, and the provider permitted it: a registered
 * Verifier cosigned the log that announces it, and a certified grant key signed the permit of this output.
 * The worker, the `open` command and the audit all decide it here.
 */
import type { Registration } from '../boot/registration.ts'
import { CodedError, under } from '../errors.ts'
import { peekCompact, verifyCompact } from '../jws.ts'
import type { GrantCa } from '../policy/verifierKeys.ts'
import { manifestDigest, type ResultManifest, ResultManifestFormat } from '../sealed/manifest.ts'
import { claimedCosigner, cosignedSize, openPermit } from './witness/acceptance.ts'
import type { Permit } from './witness/permit.ts'

/** A manifest that a registered worker signed and the provider permitted; its digest as evidence names it. */
export type OpenedManifest = {
  readonly manifest: ResultManifest
  readonly permit: Permit
  readonly digest: string
}

/** The boots that a manifest names, unverified: only for finding their registrations. */
export type ClaimedBoots = { readonly worker: string; readonly verifier: string | undefined }

/** Throws `record.malformed` or `evidence.malformed`. */
export function claimedBoots(jws: string): ClaimedBoots {
  const { boot, workerCheckpoint } = peekCompact(ResultManifestFormat, jws, 'record.malformed').payload
  return { worker: boot, verifier: claimedCosigner(workerCheckpoint) }
}

/** The verified registrations of `claimedBoots(jws)`, undefined if there is none, and what certifies grant keys. */
export type ManifestTrust = {
  readonly worker: Registration | undefined
  readonly verifier: Registration | undefined
  readonly grantCas: readonly GrantCa[]
}

/**
 * Throws `record.malformed`, or `result.foreign` if the manifest is not by a registered worker, not about
 * `resultId`, or not permitted.
 */
export function openManifest(
  jws: string,
  resultId: string,
  { worker, verifier, grantCas }: ManifestTrust,
): OpenedManifest {
  if (worker === undefined) throw foreign('the boot of the manifest is not registered')
  const { boot, role, key } = worker
  if (role !== 'worker') throw foreign(`the manifest is by the ${role} ${boot}, expected a worker`)
  const { payload: manifest } = verifyCompact(ResultManifestFormat, jws, [key], 'result.foreign')
  if (manifest.boot !== boot) throw foreign(`the manifest names the boot ${manifest.boot}, expected ${boot}`)
  if (manifest.resultId !== resultId)
    throw foreign(`the manifest is of result ${manifest.resultId}, expected ${resultId}`)
  const size = under('result.foreign', () => cosignedSize(manifest.workerCheckpoint, worker, verifier))
  const permit = under('result.foreign', () => openPermit(manifest, grantCas))
  const differing = (['resultId', 'attempt', 'contentDigest', 'boot', 'intentIndex'] as const).filter(
    (field) => permit[field] !== manifest[field],
  )
  if (permit.size !== size || permit.intentIndex >= size) differing.push('intentIndex')
  if (differing.length > 0) throw foreign(`the permit is of another result: ${differing.join(', ')}`)
  return { manifest, permit, digest: manifestDigest(jws) }
}

function foreign(message: string): CodedError {
  return new CodedError('result.foreign', message)
}
