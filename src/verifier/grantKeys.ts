/**
 * The key that signs grants. This process generates it, and the grant CA in the Vault certifies it. Half a
 * day later a new one replaces it.
 */
import { generateKeyPairSync } from 'node:crypto'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { type GrantKey, GrantKeyFormat } from '#core/release/grant.ts'
import { addSeconds, type UnixSeconds } from '#core/time.ts'

const LIFETIME_SECONDS = 24 * 3600
const RENEWAL_SECONDS = LIFETIME_SECONDS / 2
/** The clocks of replicas and workers may be this much behind. */
const SKEW_SECONDS = 60

export type CertifiedGrantKey = {
  readonly signer: Signer
  readonly payload: GrantKey
  /** Compact JWS by the grant CA. */
  readonly certificate: string
}

export type GrantKeys = {
  /** The key in use. If a renewal fails, the old key stays in use until it expires. */
  readonly current: () => CertifiedGrantKey
  readonly renewIfDue: () => Promise<void>
}

export async function createGrantKeys(grantCa: Signer, now: () => UnixSeconds): Promise<GrantKeys> {
  let certified = await certify(grantCa, now())
  return {
    current: () => certified,
    renewIfDue: async () => {
      if (now() >= certified.payload.nbf + RENEWAL_SECONDS) certified = await certify(grantCa, now())
    },
  }
}

async function certify(grantCa: Signer, now: UnixSeconds): Promise<CertifiedGrantKey> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const nbf = now - SKEW_SECONDS
  const payload: GrantKey = {
    v: 1,
    jwk: Ed25519Jwk.parse(exportJwk(privateKey)),
    nbf,
    exp: addSeconds(now, LIFETIME_SECONDS - SKEW_SECONDS),
  }
  const certificate = await signCompact(GrantKeyFormat, payload, grantCa)
  return { signer: keySigner(privateKey), payload, certificate }
}
