/**
 * The instance principal. The SDK's provider performs the metadata and federation steps; this wrapper decides
 * when.
 *
 * The SDK replaces its key pair before the token for it has arrived, uses a token to its last second and
 * generates RSA keys synchronously. Here one refresh runs at a time. It starts between 50 and 80 % of the
 * token's life and replaces token and key in one assignment; until then requests use the old pair.
 */
import { createPrivateKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { InstancePrincipalsAuthenticationDetailsProviderBuilder } from 'oci-common'
import keyPair from 'oci-common/lib/auth/key-pair.js'
import { z } from 'zod'
import { parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import type { PrincipalConfig } from './config.ts'
import { quietly } from './quiet.ts'
import type { Identity, Principal } from './signature.ts'

type Session = { readonly identity: Identity; readonly refreshAt: number; readonly expiresAt: number }

/** The origin of sessions. Milliseconds are of a clock that never goes back. */
export type SessionSource = {
  readonly acquire: () => Promise<{ readonly identity: Identity; readonly lifeMs: number }>
  readonly close: () => void
}

const ACQUIRE_MS = 30_000
/** The pause after a refresh, so that failing ones do not follow each other at once. */
const PAUSE_MS = 5000
/** A token is not used in its last seconds, because the request must still arrive. */
const MARGIN_MS = 5000

export function createInstancePrincipal(config: Extract<PrincipalConfig, { kind: 'instance' }>): Principal {
  return createSessionPrincipal(federation(config), () => performance.now())
}

export function createSessionPrincipal(source: SessionSource, monotonic: () => number): Principal {
  // Invariant: `session` is undefined, or holds a token and the private key that the token names.
  let session: Session | undefined
  let refreshing: Promise<Session> | undefined
  let pauseUntil = 0

  const refresh = (): Promise<Session> => {
    refreshing ??= source
      .acquire()
      .then(({ identity, lifeMs }) => {
        const now = monotonic()
        const refreshAt = now + lifeMs * (0.5 + 0.3 * Math.random())
        session = { identity, refreshAt, expiresAt: now + lifeMs - Math.min(MARGIN_MS, lifeMs / 4) }
        return session
      })
      .finally(() => {
        pauseUntil = monotonic() + PAUSE_MS
        refreshing = undefined
      })
    return refreshing
  }

  return {
    identity: async () => {
      const now = monotonic()
      if (session === undefined || now >= session.expiresAt) return (await refresh()).identity
      // In the background. The old session serves until it expires; only then does a caller see the failure.
      if (now >= session.refreshAt && now >= pauseUntil) refresh().catch(() => {})
      return session.identity
    },
    renew: async (rejected) => {
      if (session === undefined || session.identity.keyId === rejected.keyId) await refresh()
    },
    close: () => source.close(),
  }
}

const makeRsaKey = promisify(generateKeyPair)

async function newKeyPair() {
  const { publicKey, privateKey } = await makeRsaKey('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return new keyPair.default(publicKey, privateKey)
}

type KeyPair = Awaited<ReturnType<typeof newKeyPair>>
type Provider = Awaited<ReturnType<InstancePrincipalsAuthenticationDetailsProviderBuilder['build']>>

/**
 * Gives the SDK keys that were generated beforehand, off the event loop. `refreshKeys` switches to `next`.
 */
function keySupplier(first: KeyPair) {
  let current = first
  const supplier = {
    next: first,
    getKeyPair: () => current,
    refreshKeys: () => {
      current = supplier.next
    },
  }
  return supplier
}

function federation(config: Extract<PrincipalConfig, { kind: 'instance' }>): SessionSource {
  let built: { readonly provider: Provider; readonly supplier: ReturnType<typeof keySupplier> } | undefined
  let shutdown = () => {}

  const build = async (first: KeyPair) => {
    const builder = new InstancePrincipalsAuthenticationDetailsProviderBuilder()
    const supplier = keySupplier(first)
    if (config.metadataUrl !== undefined) builder.metadataBaseUrl = config.metadataUrl
    if (config.federationUrl !== undefined) builder.federationEndpoint = config.federationUrl
    builder.sessionKeySupplier = supplier
    shutdown = () => {
      shutDownBreaker(builder.circuitBreaker)
      shutDownBreaker(builder.authCircuitBreaker.circuit)
    }
    try {
      return { provider: await builder.build(), supplier }
    } catch (error) {
      shutdown()
      throw error
    }
  }

  const acquire = async () => {
    const next = await newKeyPair()
    built ??= await build(next)
    built.supplier.next = next
    const token = await built.provider.refresh()
    return {
      identity: { keyId: `ST$${token}`, privateKey: createPrivateKey(next.getPrivate()) },
      lifeMs: lifeOf(token),
    }
  }

  return {
    acquire: () =>
      withinTime(quietly(acquire)).catch((cause: unknown) => {
        throw new CodedError('service.unavailable', 'the instance principal gets no session token', { cause })
      }),
    close: () => quietly(shutdown),
  }
}

/** Stops a breaker's timers. The SDK declares its wrapper's type for the breaker inside it. */
function shutDownBreaker(breaker: unknown): void {
  if (typeof breaker !== 'object' || breaker === null || !('shutdown' in breaker)) return
  if (typeof breaker.shutdown === 'function') breaker.shutdown()
}

const Claims = z.object({ iat: z.number().optional(), exp: z.number() })

/** From issue to expiry, both by the issuer's clock, so that ours need not agree with it. */
function lifeOf(token: string): number {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url')
  const { exp, iat } = Claims.parse(parseJson(payload, 'session token'))
  const seconds = exp - (iat ?? Date.now() / 1000)
  if (!(seconds > 0 && seconds <= 7 * 86_400))
    throw new Error('the session token lives for no plausible time')
  return seconds * 1000
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('federation took too long')), ACQUIRE_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
