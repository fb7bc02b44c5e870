/**
 * Single use of nonces, across replicas and restarts: one create-once object a nonce in a bucket of the Verifier's own.
 * A nonce is spent whatever becomes of its request.
 */
import { randomBytes } from 'node:crypto'
import { sha256, toHex } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { nonceTime } from '#core/release/nonce.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const HOUR_SECONDS = 3600

export type SpendNonce = (nonce: Uint8Array) => Promise<void>

/** `SpendNonce` throws `nonce.spent`; anything else that it throws refuses as well. */
export function createNonceMarkers(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  replica: string,
): SpendNonce {
  return async (nonce) => {
    const marker = { ...bucket, name: nonceMarkerName(nonce) }
    const body = canonicalBytes({ attempt: toHex(randomBytes(16)), replica })
    // The attempt's random bytes tell our own create, whose answer was lost, from another request's.
    if ((await createOnce(store, marker, body)) === 'foreign')
      throw new CodedError('nonce.spent', 'another request has used this nonce')
  }
}

/** By the hour of minting, so that a lifecycle rule can clear a prefix; by digest, since nonces are not for reading. */
function nonceMarkerName(nonce: Uint8Array): string {
  return `nonce/${Math.floor(nonceTime(nonce) / HOUR_SECONDS)}/${toHex(sha256(nonce))}`
}
