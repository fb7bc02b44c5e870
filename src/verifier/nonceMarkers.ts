/**
 * Single use of nonces, across replicas and restarts: one create-once object per nonce in the Verifier's own
 * bucket. A nonce is spent even if its request is refused.
 */
import { randomBytes } from 'node:crypto'
import { sha256, toHex } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { nonceTime } from '#core/release/nonce.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const HOUR_SECONDS = 3600

export type SpendNonce = (nonce: Uint8Array, signal: AbortSignal) => Promise<void>

/**
 * `SpendNonce` throws `nonce.spent` if another request was first. Its other errors refuse the request too.
 */
export function createNonceMarkers(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  replica: string,
): SpendNonce {
  return async (nonce, signal) => {
    const marker = { ...bucket, name: nonceMarkerName(nonce) }
    const body = canonicalBytes({ attempt: toHex(randomBytes(16)), replica })
    // Random, to tell our own create, whose answer was lost, from another request's create.
    if ((await createOnce(store, marker, body, signal)) === 'foreign')
      throw new CodedError('nonce.spent', 'another request has used this nonce')
  }
}

/**
 * The hour of minting lets a lifecycle rule clear a prefix. The digest keeps the nonce itself out of
 * listings.
 */
function nonceMarkerName(nonce: Uint8Array): string {
  return `nonce/${Math.floor(nonceTime(nonce) / HOUR_SECONDS)}/${toHex(sha256(nonce))}`
}
