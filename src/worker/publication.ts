/**
 * The publication of a result: parts → `result.intent` → flush → manifest → `result.visible`. The manifest is
 * the commit point. Its name follows from the grant, so two workers that do the same work write the same
 * name, and one succeeds.
 *
 * Crash argument. Before the manifest there is no result, only parts of an attempt that nothing names. After
 * it the result is complete, and a worker that runs the job again finds it. The intent is durable before the
 * manifest, so the evidence announces every result. `result.visible` may be lost with the process; the
 * manifest says the same.
 */

import { randomBytes } from 'node:crypto'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { claimedBoot, openManifest } from '#core/evidence/manifest.ts'
import type { Counts } from '#core/fhir/filter.ts'
import { thumbprint } from '#core/jwk.ts'
import { signCompact } from '#core/jws.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import { sealTo } from '#core/release/jwe.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import {
  manifestDigest,
  manifestName,
  partName,
  type ResultManifest,
  ResultManifestFormat,
} from '#core/sealed/manifest.ts'
import { sealResult } from '#core/sealed/result.ts'
import { createIfAbsent, createOnce } from '#ports/createOnce.ts'
import type { Boot } from './boot.ts'
import { readText } from './texts.ts'

export type PublicationBoot = Pick<
  Boot,
  'store' | 'buckets' | 'registrations' | 'cipher' | 'memory' | 'evidence' | 'signer' | 'time' | 'simulation'
>

export type Published = { readonly kind: 'visible' | 'superseded'; readonly resultId: string }

/** Throws `result.foreign` if the name holds a manifest that no registered boot signed. */
export async function publish(
  accepted: AcceptedGrant,
  computed: {
    readonly output: Uint8Array
    /** `outputDigestOf` it. */
    readonly outputDigest: string
    readonly contentType: string
    readonly counts: Counts
    readonly traceparent: string
  },
  boot: PublicationBoot,
  signal: AbortSignal,
): Promise<Published> {
  const { grant } = accepted
  const { evidence } = boot
  const resultId = resultIdOfGrant(grant)
  const attempt = toHex(randomBytes(16))
  const sealed = await putParts(resultId, attempt, accepted, computed.output, boot, signal)
  const { releaseId } = grant
  const intentIndex = evidence.append({
    event: 'result.intent',
    releaseId,
    resultId,
    attempt,
    contentDigest: sealed.contentDigest,
    outputDigest: computed.outputDigest,
    termsDigest: grant.termsDigest,
    recipient: thumbprint(grant.recipient.jwk),
    counts: sealTo(grant.auditKey, canonicalBytes(computed.counts)),
  })
  const { checkpoint } = await evidence.flush(signal)
  const manifest = await signCompact(
    ResultManifestFormat,
    {
      v: 1,
      resultId,
      attempt,
      boot: evidence.boot,
      ...sealed,
      contentType: computed.contentType,
      recipient: {
        keyId: grant.recipient.keyId,
        keyVersionId: grant.recipient.keyVersionId,
        thumbprint: thumbprint(grant.recipient.jwk),
      },
      releaseId,
      traceparent: computed.traceparent,
      grantDigest: accepted.grantDigest,
      termsDigest: grant.termsDigest,
      headerDigests: grant.objects.map(({ headerDigest }) => headerDigest),
      workload: { name: grant.workload.name, digest: grant.workload.digest },
      simulation: boot.simulation,
      committedAt: boot.time.now(),
      verifierCheckpoint: grant.log.checkpoint,
      workerCheckpoint: checkpoint,
      intentIndex,
      cosignatures: [],
    },
    boot.signer,
  )
  const object = { ...boot.buckets.results, name: manifestName(resultId) }
  if (!(await createIfAbsent(boot.store, object, utf8(manifest), signal))) {
    const existing = await findResult(accepted, boot, signal)
    // The signed manifest names this attempt: equal digests mean that our own create succeeded, its answer
    // lost.
    if (existing?.digest !== manifestDigest(manifest)) return supersede(accepted, existing, boot)
  }
  evidence.append({
    event: 'result.visible',
    releaseId,
    resultId,
    attempt,
    manifestDigest: manifestDigest(manifest),
  })
  return { kind: 'visible', resultId }
}

export type ExistingResult = { readonly digest: string }

/**
 * The result of the same work by any registered boot; undefined if there is none. Throws `signer.unregistered`,
 * which may pass, and `result.foreign`, which the log then has.
 */
export async function findResult(
  { grant, grantCas }: AcceptedGrant,
  { store, buckets, registrations, evidence }: PublicationBoot,
  signal: AbortSignal,
): Promise<ExistingResult | undefined> {
  const resultId = resultIdOfGrant(grant)
  const text = await readText(
    store,
    { ...buckets.results, name: manifestName(resultId) },
    ResultManifestFormat.maxBytes * 2,
    signal,
  )
  if (text === undefined) return undefined
  const digest = manifestDigest(text)
  try {
    const claimed = claimedBoot(text)
    const registration = await registrations.find(claimed, grantCas, signal)
    if (registration === undefined)
      throw new CodedError('signer.unregistered', `the registration of ${claimed} is not there`)
    openManifest(text, resultId, registration)
    return { digest }
  } catch (error) {
    if (
      error instanceof CodedError &&
      ['result.foreign', 'record.malformed', 'evidence.malformed', 'evidence.inconsistent'].includes(
        error.code,
      )
    ) {
      evidence.append({
        event: 'result.foreign',
        releaseId: grant.releaseId,
        resultId,
        manifestDigest: digest,
      })
      throw new CodedError('result.foreign', `the manifest of ${resultId} is not by a registered worker`, {
        cause: error,
      })
    }
    throw error
  }
}

/** Another worker's result exists: this release ends with it. */
export function supersede(
  { grant }: AcceptedGrant,
  existing: ExistingResult | undefined,
  { evidence }: Pick<Boot, 'evidence'>,
): Published {
  // Results are never deleted, so the object that prevented the create can be read.
  if (existing === undefined)
    throw new CodedError('service.unavailable', 'a manifest exists and cannot be read')
  const resultId = resultIdOfGrant(grant)
  evidence.append({
    event: 'result.superseded',
    releaseId: grant.releaseId,
    resultId,
    manifestDigest: existing.digest,
  })
  return { kind: 'superseded', resultId }
}

async function putParts(
  resultId: string,
  attempt: string,
  { grant }: AcceptedGrant,
  output: Uint8Array,
  { store, buckets, cipher, memory }: PublicationBoot,
  signal: AbortSignal,
): Promise<Pick<ResultManifest, 'parts' | 'contentDigest' | 'wrappedDek'>> {
  const sealed = sealResult({
    resultId,
    recipient: grant.recipient.jwk,
    chunks: once(output),
    size: output.byteLength,
    cipher,
    memory,
  })
  const parts: { size: number; digest: string }[] = []
  let contentDigest = sha256()
  for await (const part of sealed.parts) {
    const object = { ...buckets.results, name: partName(resultId, attempt, part.part) }
    // Encrypted under a new key: equal bytes are those of our own create, whose answer was lost.
    if ((await createOnce(store, object, part.bytes, signal)) === 'foreign')
      throw new CodedError('service.conflict', `${object.name} is another's`)
    parts.push({ size: part.bytes.byteLength, digest: toBase64url(part.digest) })
    contentDigest = part.contentDigest
  }
  return { parts, contentDigest: toBase64url(contentDigest), wrappedDek: toBase64url(sealed.wrappedDek) }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes
}
