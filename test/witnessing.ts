/** Statements of a Verifier's witness with genuine signatures, for tests that need results and no Verifier. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { signCheckpoint } from '#core/evidence/checkpoint.ts'
import { cosign } from '#core/evidence/witness/cosignature.ts'
import { type Permit, PermitFormat } from '#core/evidence/witness/permit.ts'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { GrantKeyFormat } from '#core/release/grant.ts'
import { toUnixSeconds } from '#core/time.ts'

/** A boot of a Verifier. */
export type TestVerifier = {
  readonly boot: string
  readonly key: KeyObject
  readonly registration: Registration
}

export function testVerifier(time: number, change: Partial<Registration> = {}): TestVerifier {
  const key = generateKeyPairSync('ed25519').privateKey
  const jwk = Ed25519Jwk.parse(exportJwk(key))
  const boot = bootOf(jwk)
  const origin = logOrigin('verifier', boot)
  const own = {
    v: 1,
    role: 'verifier',
    boot,
    origin,
    key: jwk,
    attestation: null,
    simulation: true,
    time,
  } as const
  return { boot, key, registration: { ...own, ...change } }
}

export function cosignBy(
  { boot, key }: Pick<TestVerifier, 'boot' | 'key'>,
  note: string,
  time: number,
): string {
  return cosign(note, logOrigin('verifier', boot), toUnixSeconds(time), key)
}

/** A cosigned checkpoint of a log that no one reads. */
export function cosignedNote(
  worker: { readonly boot: string; readonly key: KeyObject },
  by: Pick<TestVerifier, 'boot' | 'key'>,
  size: number,
  time: number,
): string {
  const checkpoint = { origin: logOrigin('worker', worker.boot), size, root: Buffer.alloc(32, size) }
  return cosignBy(by, signCheckpoint(checkpoint, worker.key), time)
}

const grantKey = keySigner(generateKeyPairSync('ed25519').privateKey)

/** By a grant key that `grantCa` certified for a day. */
export async function permitBy(grantCa: Signer, permit: Omit<Permit, 'v'>, signer = grantKey) {
  const certificate = {
    v: 1 as const,
    jwk: Ed25519Jwk.parse(grantKey.jwk),
    nbf: permit.iat - 60,
    exp: permit.iat + 86_400,
  }
  return {
    permit: await signCompact<Permit>(PermitFormat, { ...permit, v: 1 }, signer),
    permitKey: await signCompact(GrantKeyFormat, certificate, grantCa),
  }
}
