/**
 * Proof that the requester holds the evidence key of the boot that it asks under: an Ed25519 signature over
 * REPORT_DATA. A report binds only the public key, which everyone who reads a log knows.
 */
import { verify } from 'node:crypto'
import { fromBase64url, toBase64url } from '../bytes.ts'
import { CodedError, under } from '../errors.ts'
import { type Ed25519Jwk, importJwk } from '../jwk.ts'
import type { Signer } from '../jws.ts'

/**
 * 64 bytes that come out of SHA-512 under the domain of a release. Every other text that an evidence key signs
 * is longer: notes, and the signing inputs of JWS.
 */
export async function provePossession(reportData: Uint8Array, evidenceKey: Signer): Promise<string> {
  return toBase64url(await evidenceKey.sign(reportData))
}

/** Throws `possession.invalid` unless `evidenceKey` signed `reportData`. */
export function expectPossession(possession: string, reportData: Uint8Array, evidenceKey: Ed25519Jwk): void {
  under('possession.invalid', () => {
    if (!verify(null, reportData, importJwk(evidenceKey), fromBase64url(possession)))
      throw new CodedError(
        'possession.invalid',
        'possession is not a signature over REPORT_DATA by evidenceKey of the runtime data',
      )
  })
}
