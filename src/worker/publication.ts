/**
 * The publication of a result: parts → `result.intent` → flush → permit → manifest → `result.visible`. The
 * manifest is the commit point for everyone who reads results; the provider's commit, which the permit
 * follows, decides which output that may be. The manifest's name follows from the grant, so two workers that
 * do the same work write the same name, and one succeeds.
 *
 * Crash argument. Before the manifest there is no result, only parts of an attempt that nothing names. After
 * it the result is complete, and a worker that runs the job again finds it. The intent is durable before the
 * manifest, so the evidence announces every result. If we stop after the permit, the same output is computed
 * again and permitted again. `result.visible` may be lost with the process; the manifest says the same.
 */

import { randomBytes } from 'node:crypto'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { claimedBoots, openManifest } from '#core/evidence/manifest.ts'
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
import type { AnnouncedResult } from './witness.ts'

export type PublicationBoot = Pick<
  Boot,
  | 'store'
  | 'buckets'
  | 'registrations'
  | 'witness'
  | 'cipher'
  | 'memory'
  | 'evidence'
  | 'signer'
  | 'time'
  | 'simulation'
>

export type Published = { readonly kind: 'visible' | 'superseded'; readonly resultId: string }

/** What a computation gave. */
export type ComputedResult = {
  readonly output: Uint8Array
  /** `outputDigestOf` it. */
  readonly outputDigest: string
  readonly contentType: string
  readonly counts: Counts
  readonly traceparent: string
}

/** A result whose parts and intent are stored or appended: only its permit and manifest are missing. */
export type Announced = {
  readonly kind: 'announced'
  readonly accepted: AcceptedGrant
  readonly announced: AnnouncedResult
  readonly sealed: Pick<ResultManifest, 'parts' | 'contentDigest' | 'wrappedDek'>
  readonly computed: Pick<ComputedResult, 'contentType' | 'traceparent'>
}

/** Stores the parts and appends the intent. The output is not needed afterwards. */
export async function announce(
  accepted: AcceptedGrant,
  computed: ComputedResult,
  boot: PublicationBoot,
  signal: AbortSignal,
): Promise<Announced> {
  const { grant } = accepted
  const resultId = resultIdOfGrant(grant)
  const attempt = toHex(randomBytes(16))
  const sealed = await putParts(resultId, attempt, accepted, computed.output, boot, signal)
  const { outputDigest, contentType, traceparent } = computed
  const { contentDigest } = sealed
  const intentIndex = boot.evidence.append({
    event: 'result.intent',
    releaseId: grant.releaseId,
    resultId,
    attempt,
    contentDigest,
    outputDigest,
    termsDigest: grant.termsDigest,
    recipient: thumbprint(grant.recipient.jwk),
    counts: sealTo(grant.auditKey, canonicalBytes(computed.counts)),
  })
  const announced = { resultId, attempt, contentDigest, outputDigest, intentIndex }
  return { kind: 'announced', accepted, announced, sealed, computed: { contentType, traceparent } }
}

/**
 * Makes the intent durable, obtains its permit and writes the manifest. Throws `PermitRefused`, and
 * `result.foreign` if the name holds a manifest that no registered boot signed or no Verifier permitted.
 */
export async function show(
  { accepted, announced, sealed, computed }: Announced,
  boot: PublicationBoot,
  signal: AbortSignal,
): Promise<Published> {
  const { grant } = accepted
  const { evidence } = boot
  const { resultId, attempt, intentIndex } = announced
  const { releaseId } = grant
  const { checkpoint, permit, permitKey } = await boot.witness.permit(announced, accepted, signal)
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
      permit,
      permitKey,
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
    const claimed = claimedBoots(text)
    const find = async (claimedBoot: string) => {
      const registration = await registrations.find(claimedBoot, grantCas, signal)
      if (registration !== undefined) return registration
      throw new CodedError('signer.unregistered', `the registration of ${claimedBoot} is not there`)
    }
    openManifest(text, resultId, {
      worker: await find(claimed.worker),
      verifier: claimed.verifier === undefined ? undefined : await find(claimed.verifier),
      grantCas,
    })
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
