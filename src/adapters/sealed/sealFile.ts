/** Seals a file on the hospital's own machine, before any of it leaves. */
import { randomBytes } from 'node:crypto'
import { assertAbsent, createFile } from '#adapters/system/files.ts'
import { openInput } from '#adapters/system/inputFile.ts'
import { counted, type Progress } from '#adapters/system/progress.ts'
import { toBase64url, toHex } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { contentType as contentTypeField } from '#core/fields.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import type { SegmentCipher } from '#core/sealed/cipher.ts'
import {
  baseUrl as baseUrlField,
  headerDigest,
  SealHeaderFormat,
  sealAssociatedData,
} from '#core/sealed/header.ts'
import { sealObject } from '#core/sealed/object.ts'
import { memberName, ownName } from '#core/sealed/set.ts'
import type { Clock } from '#ports/clock.ts'
import type { KeyVault } from '#ports/keyVault.ts'

export type Dataset = {
  readonly tenant: string
  readonly dataset: string
  /** The Vault key that wraps the data key of each object. */
  readonly keyId: string
}

export type SealOptions = {
  /** The content. */
  readonly file: string
  /** The sealed object, a new file. */
  readonly out: string
  /** Its name in the bucket; by default the sealId, which reveals nothing. */
  readonly object?: string | undefined
  readonly contentType?: string | undefined
  /** Of a member of a set, whose name follows from it. */
  readonly member?: { readonly set: string; readonly sealId: string }
  /** Base URL of the FHIR server that the content comes from. */
  readonly baseUrl?: string | undefined
}

export type SealDeps = {
  readonly vault: Pick<KeyVault, 'generateDataKey'>
  /** The dataset's sealing key. */
  readonly signer: Signer
  readonly cipher: SegmentCipher
  readonly clock: Pick<Clock, 'now'>
  /** Sees the content as it is sealed. */
  readonly observe?: (chunk: Uint8Array) => void
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

export type SealedFile = {
  readonly file: string
  readonly sealId: string
  readonly object: string
  /** Base64url. */
  readonly headerDigest: string
  /** Bytes before and after. */
  readonly size: number
  readonly sealedSize: number
}

const DEFAULT_CONTENT_TYPE = 'application/fhir+ndjson'

/**
 * Writes the sealed object to `options.out`, in constant memory; on failure it leaves no file. Throws
 * `output.exists`, `output.unwritable`, `input.unreadable`, `input.changed`, `usage.invalid`, and the Vault's
 * codes.
 */
export async function sealFile(
  { tenant, dataset, keyId }: Dataset,
  options: SealOptions,
  deps: SealDeps,
): Promise<SealedFile> {
  const { out, contentType = DEFAULT_CONTENT_TYPE, baseUrl = null } = options
  const { member, object: chosen } = options
  const sealId = member?.sealId ?? toHex(randomBytes(16))
  const object =
    member === undefined
      ? checkShape(ownName, chosen ?? sealId, '--object', 'usage.invalid')
      : memberName(member.set, sealId)
  checkShape(contentTypeField, contentType, '--content-type', 'usage.invalid')
  if (baseUrl !== null) checkShape(baseUrlField, baseUrl, '--base-url', 'usage.invalid')
  await assertAbsent(out)

  const input = await openInput(options.file)
  try {
    const { size } = input
    const identity = { tenant, dataset, object, sealId }
    const dek = await deps.vault.generateDataKey(keyId, sealAssociatedData(identity))
    try {
      const header = {
        v: 1 as const,
        ...identity,
        size,
        contentType,
        sealedAt: deps.clock.now(),
        set: member?.set ?? null,
        minimised: null,
        baseUrl,
        custody: {
          mode: 'rewrap' as const,
          keyId,
          keyVersionId: dek.keyVersionId,
          wrappedDek: toBase64url(dek.wrapped),
        },
      }
      const headerJws = await signCompact(SealHeaderFormat, header, deps.signer)
      const chunks = observed(counted(input.chunks(deps.signal), size, deps.progress), deps.observe)
      const sealed = sealObject({
        headerJws,
        dek: dek.plaintext,
        chunks,
        size,
        cipher: deps.cipher,
        ownership: 'lent',
      })
      const sealedSize = await createFile(out, sealed)
      const digest = toBase64url(headerDigest(headerJws))
      return { file: out, sealId, object, headerDigest: digest, size, sealedSize }
    } finally {
      dek.plaintext.fill(0)
    }
  } finally {
    await input.close()
  }
}

async function* observed(
  chunks: AsyncIterable<Uint8Array>,
  observe: SealDeps['observe'],
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    observe?.(chunk)
    yield chunk
  }
}
