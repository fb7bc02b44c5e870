/**
 * The origin of a result: a manifest counts only if its boot is registered as a worker, the boot's key signed
 * it, and it is about the result under whose name it is stored. The worker, the `open` command and the audit
 * all decide it here.
 */
import type { Registration } from '../boot/registration.ts'
import { CodedError } from '../errors.ts'
import { peekCompact, verifyCompact } from '../jws.ts'
import { manifestDigest, type ResultManifest, ResultManifestFormat } from '../sealed/manifest.ts'

/** A manifest that a registered worker signed, and its digest as evidence names it. */
export type OpenedManifest = { readonly manifest: ResultManifest; readonly digest: string }

/**
 * The boot that a manifest names, unverified: only for finding its registration. Throws `record.malformed`.
 */
export function claimedBoot(jws: string): string {
  return peekCompact(ResultManifestFormat, jws, 'record.malformed').payload.boot
}

/**
 * `registration` is the verified registration of `claimedBoot(jws)`, or undefined if there is none. Throws
 * `record.malformed`, or `result.foreign` if the manifest is not by a registered worker or not about
 * `resultId`.
 */
export function openManifest(
  jws: string,
  resultId: string,
  registration: Registration | undefined,
): OpenedManifest {
  if (registration === undefined) throw foreign('the boot of the manifest is not registered')
  const { boot, role, key } = registration
  if (role !== 'worker') throw foreign(`the manifest is by the ${role} ${boot}, expected a worker`)
  const { payload: manifest } = verifyCompact(ResultManifestFormat, jws, [key], 'result.foreign')
  if (manifest.boot !== boot) throw foreign(`the manifest names the boot ${manifest.boot}, expected ${boot}`)
  if (manifest.resultId !== resultId)
    throw foreign(`the manifest is of result ${manifest.resultId}, expected ${resultId}`)
  return { manifest, digest: manifestDigest(jws) }
}

function foreign(message: string): CodedError {
  return new CodedError('result.foreign', message)
}
