/**
 * The sealed object of a consent list: the ids of withdrawn patients, under a key of its own. Its size says no
 * more than how many times 64 KiB of ids there are; an empty list has the size of a short one.
 */
import { randomBytes } from 'node:crypto'
import { sha256, toHex, utf8 } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import { CodedError, codeOf } from '../errors.ts'
import type { SegmentCipher } from './cipher.ts'
import { FLOE, floeBytes, type RandomBytes } from './floe.ts'
import { openFloe } from './floeOpen.ts'
import { sealFloe } from './floeSeal.ts'

const STEP_BYTES = 64 * 1024
const LENGTH_BYTES = 8
/** About 220,000 patients with UUIDs. Memory of a worker limits it. */
const MAX_CONTENT_BYTES = 8 * 1024 * 1024
export const MIN_LIST_BYTES = floeBytes(STEP_BYTES)
export const MAX_LIST_BYTES = floeBytes(MAX_CONTENT_BYTES)

const AAD_PREFIX = utf8('confidential-worker/consent/v1\0')
/** FHIR R4 §2.24.0.1, `id`. */
const ID = /^[A-Za-z0-9.-]{1,64}$/
const LF = 0x0a

/** Which list it is. A key opens no other. */
export type ListIdentity = {
  readonly tenant: string
  readonly dataset: string
  /** 128 random bits in hex. */
  readonly id: string
}

/** The Vault authenticates this beside the wrapped key of a list. */
export function listAssociatedData({ tenant, dataset, id }: ListIdentity): Record<string, string> {
  return { v: '1', tenant, dataset, list: id, use: 'consent' }
}

/** The name of its object: by its content, in the governance bucket. */
export function listName(dataset: string, sealed: Uint8Array): string {
  return `consent-list/${dataset}/${toHex(sealed)}`
}

export function isPatientId(text: string): boolean {
  return ID.test(text)
}

/** The sealed object. `ids` are FHIR ids. Throws `consent.oversized` for more than fit. */
export async function sealList(
  ids: Iterable<string>,
  sealing: {
    readonly identity: ListIdentity
    /** 32 bytes; the caller owns and wipes them. */
    readonly dek: Uint8Array
    readonly cipher: SegmentCipher
    readonly random?: RandomBytes
  },
): Promise<Buffer> {
  const { identity, dek, cipher, random = randomBytes } = sealing
  const text = Buffer.from(
    [...new Set(ids)]
      .sort()
      .map((id) => `${id}\n`)
      .join(''),
    'latin1',
  )
  const size = Math.max(1, Math.ceil((LENGTH_BYTES + text.byteLength) / STEP_BYTES)) * STEP_BYTES
  if (size > MAX_CONTENT_BYTES)
    throw new CodedError(
      'consent.oversized',
      `the ids have ${text.byteLength} bytes, a list holds less than ${MAX_CONTENT_BYTES}`,
    )
  const content = Buffer.alloc(size)
  try {
    content.writeBigUInt64BE(BigInt(text.byteLength))
    content.set(text, LENGTH_BYTES)
    const aad = listAad(identity)
    const parameters = FLOE
    const sealed = sealFloe({
      dek,
      aad,
      chunks: [content],
      size,
      cipher,
      random,
      ownership: 'given',
      parameters,
    })
    return Buffer.concat(await Array.fromAsync(sealed))
  } finally {
    content.fill(0)
    text.fill(0)
  }
}

/**
 * The ids, each followed by a line feed, as bytes that the caller owns. Throws `consent.unopened` for whatever
 * is not the list of this identity, under this key, in its form.
 */
export async function openList(
  sealed: Uint8Array,
  opening: { readonly identity: ListIdentity; readonly dek: Uint8Array; readonly cipher: SegmentCipher },
): Promise<Buffer> {
  const { identity, dek, cipher } = opening
  const aad = listAad(identity)
  try {
    const chunks = openFloe({ dek, aad, chunks: [sealed], cipher, ownership: 'given', parameters: FLOE })
    const content = Buffer.concat(await Array.fromAsync(chunks))
    return readList(content)
  } catch (error) {
    if (codeOf(error) !== 'object.unopened') throw error
    throw unopened('it does not open with its key', error)
  }
}

/** The text of a list's content, after its length. Throws `consent.unopened`. */
export function readList(content: Buffer): Buffer {
  if (content.byteLength === 0 || content.byteLength % STEP_BYTES !== 0)
    throw unopened(`its content has ${content.byteLength} bytes`)
  const length = content.readBigUInt64BE()
  if (length > BigInt(content.byteLength - LENGTH_BYTES)) throw unopened('its length is beyond its end')
  const end = LENGTH_BYTES + Number(length)
  const text = content.subarray(LENGTH_BYTES, end)
  if (!isText(text)) throw unopened('it contains something else than ids')
  if (content.subarray(end).some((byte) => byte !== 0)) throw unopened('its padding is not zeros')
  return text
}

/** Ids by FHIR's grammar, sorted and each once, each followed by a line feed: so their number is bounded. */
function isText(text: Buffer): boolean {
  let before = ''
  for (let start = 0; start < text.byteLength; ) {
    const end = text.indexOf(LF, start)
    if (end < 0) return false
    const id = text.toString('latin1', start, end)
    if (!ID.test(id) || id <= before) return false
    before = id
    start = end + 1
  }
  return true
}

function listAad({ tenant, dataset, id }: ListIdentity): Buffer {
  return Buffer.concat([AAD_PREFIX, sha256(canonicalBytes({ v: 1, tenant, dataset, list: id }))])
}

function unopened(problem: string, cause?: unknown): CodedError {
  return new CodedError('consent.unopened', `a consent list cannot be used: ${problem}`, { cause })
}
