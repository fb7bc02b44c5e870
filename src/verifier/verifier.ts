/** The running Verifier: its server, its periodic tasks and its orderly end. */
import { randomBytes } from 'node:crypto'
import type { Registry } from 'prom-client'
import { endsLog } from '#adapters/evidence/log.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import type { OwnTls, TlsSet } from '#adapters/system/tlsFiles.ts'
import { expectTrueClock, hasTrueClock } from '#adapters/system/trueClock.ts'
import { toBase64url } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import {
  type Challenge,
  checkNonce,
  mintNonce,
  NONCE_LIFETIME_SECONDS,
  NONCE_RANDOM_BYTES,
} from '#core/release/nonce.ts'
import { addSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { type Boot, openBoot } from './boot.ts'
import type { VerifierConfig } from './config.ts'
import type { VerifierMaterial } from './material.ts'
import { publishClientCertificates, publishConnections } from './metrics.ts'
import { type PeriodicTask, runPeriodically, withinLimit } from './periodicTasks.ts'
import { createRefusalCounts } from './refusalCounts.ts'
import { createRefusals } from './refusals.ts'
import { answerRelease } from './release.ts'
import { startServer } from './server.ts'
import type { ServerTls } from './serverTls.ts'
import { answerCheckpoint } from './witness.ts'

const KEYS_SECONDS = 60
const COUNTS_SECONDS = 15
const LISTS_SECONDS = 15
/** A longer listing is given up; the next one follows. */
const LISTING_MILLISECONDS = 10_000
/** Between attempts to store the last entries, until the drain is over. */
const CLOSING_MILLISECONDS = 500

export type Verifier = {
  readonly url: string
  readonly boot: string
  /** Its clock is right and a policy is in force, so it can release keys. */
  readonly ready: () => boolean
  /** Answers the current requests, stores the last evidence, wipes its keys. */
  readonly stop: () => Promise<void>
}

/**
 * Waits as `openBoot`, and listens when it can answer: a balancer that finds the port closed takes another
 * replica, and a worker waits. Throws as `openBoot`. Calls `requestEnd` if this boot's log can never be
 * written again.
 */
export async function startVerifier(
  config: VerifierConfig,
  material: VerifierMaterial,
  options: {
    readonly software: string
    readonly clock: Clock
    readonly log: Log
    readonly registry: Registry
    /** Ends the start; once the Verifier runs, `stop` ends it. */
    readonly signal: AbortSignal
    readonly requestEnd: (reason: string) => void
  },
): Promise<Verifier> {
  const { clock, log, requestEnd } = options
  const { skew } = material
  const boot = await openBoot(config, material, options)
  const { evidence, metrics, policyStore } = boot
  const counts = createRefusalCounts()
  const refusals = createRefusals(counts, metrics, { clock, log })
  const recordRefusals = (all: boolean) => {
    for (const entry of counts.take(clock.now(), all)) evidence.append(entry)
  }
  const endWithLog = (error: unknown) => {
    const code = codeOf(error)
    if (endsLog(code)) requestEnd(code)
  }

  const stopping = new AbortController()
  const tls = material.tls.current()
  const server = await startServer(
    { listen: config.listen, tls: serverTls(tls), clock },
    {
      challenge: () => {
        expectTrueClock(skew)
        return newChallenge(boot)
      },
      release: async (body, nonce) => {
        expectTrueClock(skew)
        return await answerRelease(body, boot, nonce)
      },
      witness: async (path, body) => {
        expectTrueClock(skew)
        return await answerCheckpoint(path, body, boot)
      },
      checkNonce: (nonce) => {
        expectTrueClock(skew)
        checkNonce(nonce, boot.nonceKeys.checking(), boot.audience, clock.now())
      },
      refused: (refusal) => {
        refusals.request(refusal)
        endWithLog(refusal.error)
      },
      answered: metrics.request,
      tlsRefused: refusals.handshake,
      dropped: metrics.dropped,
    },
  )
  publishConnections(options.registry, server.connections)
  publishClientCertificates(options.registry, config.tls.clientCertificates)
  material.tls.follow(tls, (next) => server.setTls(serverTls(next)))
  const tasks: readonly PeriodicTask[] = [
    {
      name: 'policy',
      seconds: config.policyListingSeconds,
      run: (signal) => withinLimit(LISTING_MILLISECONDS, signal, policyStore.refresh),
    },
    {
      // Apart from the listing: a log that is slow to store must not keep a revocation from being read.
      name: 'evidence',
      seconds: config.policyListingSeconds,
      run: async (signal) => {
        await evidence.flush(signal)
      },
    },
    { name: 'nonce keys', seconds: KEYS_SECONDS, run: boot.nonceKeys.refresh },
    {
      name: 'grant key',
      seconds: KEYS_SECONDS,
      run: async () => {
        expectTrueClock(skew)
        await boot.grantKeys.renewIfDue()
      },
    },
    { name: 'revocation lists', seconds: LISTS_SECONDS, atOnce: true, run: boot.revocationLists.refresh },
    {
      name: 'interruptions',
      seconds: Math.max(1, config.requestSeconds / 2),
      atOnce: true,
      run: async (signal) => {
        // Ends that a request could not wait for must be stored in time, too.
        await evidence.flush(signal)
        await boot.interruptions.look(signal)
      },
    },
    { name: 'refusal counts', seconds: COUNTS_SECONDS, run: async () => recordRefusals(false) },
  ]
  const running = runPeriodically(tasks, { clock, log, signal: stopping.signal, failed: endWithLog })

  return {
    url: server.url,
    boot: evidence.boot,
    ready: () => !stopping.signal.aborted && hasTrueClock(skew) && hasPolicy(boot),
    stop: async () => {
      stopping.abort()
      // The other half of the drain is for the evidence.
      await server.close(config.drainSeconds * 500)
      await running
      recordRefusals(true)
      try {
        await closeEvidence(boot)
      } finally {
        boot.custody.close()
      }
    },
  }
}

function serverTls(set: OwnTls | TlsSet): ServerTls {
  const { cert, key } = set
  return 'ca' in set
    ? { clientCertificates: 'required', cert, key, clientCa: set.ca, clientCrl: set.crl }
    : { clientCertificates: 'at-gateway', cert, key }
}

function newChallenge({ nonceKeys, audience, clock }: Boot): Challenge {
  const iat = clock.now()
  const nonce = mintNonce(nonceKeys.minting(), audience, iat, randomBytes(NONCE_RANDOM_BYTES))
  return { nonce: toBase64url(nonce), exp: addSeconds(iat, NONCE_LIFETIME_SECONDS), aud: audience }
}

function hasPolicy({ policyStore }: Boot): boolean {
  try {
    policyStore.inForce()
    return true
  } catch {
    return false
  }
}

/**
 * Tries until the last releases have their end and the log is stored. The limit of the drain ends the process
 * if that takes too long.
 */
async function closeEvidence({ evidence, clock, log }: Boot): Promise<void> {
  for (;;) {
    try {
      await evidence.close('drained')
      return
    } catch (error) {
      if (codeOf(error) !== 'evidence.unavailable') throw error
      log.warn('evidence waits to be stored', errorFields(error))
      await clock.sleep(CLOSING_MILLISECONDS)
    }
  }
}
