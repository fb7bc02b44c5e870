/** The Verifier's challenge (RFC 9334 §10): a nonce that any replica can check without having kept it. */
import { z } from 'zod'
import { audience, base64urlBytes, time } from '../fields.ts'

/** version ‖ key epoch ‖ iat ‖ random ‖ HMAC-SHA-256. */
export const NONCE_BYTES = 1 + 4 + 8 + 16 + 32
export const NONCE_LIFETIME_SECONDS = 300

export const Challenge = z.strictObject({ nonce: base64urlBytes(NONCE_BYTES), exp: time, aud: audience })
export type Challenge = z.output<typeof Challenge>
