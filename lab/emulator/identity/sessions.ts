/**
 * Session tokens of instances (`/v1/x509`) and functions (resource principals): JWTs that bind principal and
 * key.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import { join } from 'node:path'
import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Principal } from '#lab/emulator/service.ts'
import { readOrCreate } from '#lab/readOrCreate.ts'
import type { Principals } from './principals.ts'

const ISSUER = 'authService.oracle.com'
const CACHE_ENTRIES = 1000

const Claims = z.looseObject({
  sub: z.string(),
  exp: z.number(),
  ptype: z.literal(['instance', 'resource']),
  jwk: z.string(),
})
const RsaJwk = z.looseObject({ kty: z.literal('RSA'), n: z.string(), e: z.string() })

type Session = { readonly principal: Principal; readonly key: KeyObject; readonly expiresAt: number }

export type Sessions = {
  readonly issue: (principal: Principal, key: KeyObject, now: number) => Promise<string>
  /** Undefined if the token is invalid, has expired, or names a principal that no longer exists. */
  readonly find: (token: string, now: number) => Promise<Session | undefined>
}

export async function openSessions(
  folder: string,
  principals: Principals,
  sessionSeconds: number,
): Promise<Sessions> {
  const pem = await readOrCreate(join(folder, 'sessions.key'), async () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  )
  const signer = createPrivateKey(pem)
  const verifier = createPublicKey(signer)
  const cache = new Map<string, Session>()

  const check = async (token: string, now: number): Promise<Session | undefined> => {
    try {
      const { payload } = await jwtVerify(token, verifier, {
        issuer: ISSUER,
        algorithms: ['ES256'],
        currentDate: new Date(now),
      })
      const { sub, exp, ptype, jwk } = Claims.parse(payload)
      const principal = ptype === 'instance' ? principals.instance(sub) : principals.function(sub)
      const { kty, n, e } = RsaJwk.parse(JSON.parse(jwk))
      const key = createPublicKey({ key: { kty, n, e }, format: 'jwk' })
      return principal === undefined ? undefined : { principal, key, expiresAt: exp * 1000 }
    } catch {
      // All reasons for an invalid token get one answer.
      return undefined
    }
  }

  return {
    issue: async (principal, key, now) => {
      const { kty, n, e } = key.export({ format: 'jwk' })
      const seconds = Math.floor(now / 1000)
      return await new SignJWT({
        ...claimsOf(principal),
        tenant: principal.tenancyId,
        jwk: JSON.stringify({ kid: principal.id, kty, n, e, alg: 'RS256', use: 'sig' }),
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: 'emulator' })
        .setIssuer(ISSUER)
        .setSubject(principal.id)
        .setAudience('oci')
        .setJti(randomUUID())
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + sessionSeconds)
        .sign(signer)
    },
    find: async (token, now) => {
      const known = cache.get(token)
      const session = known ?? (await check(token, now))
      if (session === undefined || session.expiresAt <= now) {
        cache.delete(token)
        return undefined
      }
      if (known === undefined) {
        const [oldest] = cache.keys()
        if (cache.size >= CACHE_ENTRIES && oldest !== undefined) cache.delete(oldest)
        cache.set(token, session)
      }
      return session
    },
  }
}

function claimsOf(principal: Principal): Record<string, string> {
  const { id, tenancyId, compartmentId } = principal
  return principal.kind === 'instance'
    ? {
        ptype: 'instance',
        ttype: 'x509',
        'opc-instance': id,
        'opc-compartment': compartmentId,
        'opc-tenant': tenancyId,
      }
    : {
        ptype: 'resource',
        ttype: 'res_sp',
        res_type: 'fnfunc',
        res_id: id,
        res_compartment: compartmentId,
        res_tenant: tenancyId,
      }
}
