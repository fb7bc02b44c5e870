/**
 * Pseudonyms of resources: HMAC-SHA-256 over `Type/id` under a key that is the provider's, bound to one client and one
 * purpose. The same resource gets the same pseudonym everywhere in that client's data and another one elsewhere
 * (45 CFR 164.514(c): not derivable by whoever lacks the key).
 */
import { createHmac, createSecretKey } from 'node:crypto'

/** 128 bits as hex, which is within FHIR's id grammar. */
export const PSEUDONYM_LENGTH = 32

/** References repeat: a file is full of the same patients. Beyond this many the memory is dropped and begun again. */
const MAX_REMEMBERED = 65_536

/** Writes 32 ASCII bytes for `Type/id`, given as text. The buffer returned is shared and must not be changed. */
export type Pseudonymizer = (reference: string) => Uint8Array

/** Copies the key into a key object; the caller wipes its own bytes. */
export function createPseudonymizer(key: Uint8Array): Pseudonymizer {
  const secret = createSecretKey(key)
  const remembered = new Map<string, Uint8Array>()
  return (reference) => {
    const known = remembered.get(reference)
    if (known !== undefined) return known
    const digest = createHmac('sha256', secret).update(reference).digest('hex')
    const pseudonym = Buffer.from(digest.slice(0, PSEUDONYM_LENGTH), 'latin1')
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(reference, pseudonym)
    return pseudonym
  }
}
