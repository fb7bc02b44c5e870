/** The Verifier put together: from its configuration to a process that answers, and to an orderly end. */
import { randomBytes } from 'node:crypto'
import { isLoopback } from '#adapters/http/origin.ts'
import { endpointOf } from '#adapters/oci/config.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { createRegistry as createMetricRegistry, startMonitor } from '#adapters/system/monitor.ts'
import { toBase64url } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import { type Challenge, NONCE_LIFETIME_SECONDS } from '#core/release/challenge.ts'
import { mintNonce, NONCE_RANDOM_BYTES } from '#core/release/nonce.ts'
import { addSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { type Chore, doChores } from './chores.ts'
import type { VerifierConfig } from './config.ts'
import { createCustody } from './custody.ts'
import { createGrantKeys } from './grantKey.ts'
import { openIdentity } from './identity.ts'
import type { Material } from './material.ts'
import { createMetrics } from './metrics.ts'
import { createNonceKeys } from './nonceKeys.ts'
import { createNonceMarkers } from './nonceMarkers.ts'
import { createPolicyStore } from './policyStore.ts'
import { createRefusalCounts } from './refusalCounts.ts'
import { createRegistry } from './registry.ts'
import { answerRelease, type ReleaseDesk } from './release.ts'
import { createRevocationLists } from './revocationLists.ts'
import { startServer } from './server.ts'

const KEYS_SECONDS = 60
const COUNTS_SECONDS = 15
const LISTS_SECONDS = 15
/** A listing that takes longer is given up; the next one comes. */
const LISTING_MILLISECONDS = 10_000
/** Between attempts to store the last entries, until the drain is over. */
const CLOSING_MILLISECONDS = 500

export type Verifier = {
  readonly url: string
  readonly monitorUrl: string
  readonly boot: string
  /** Answers what is in hand, stores the last evidence, forgets its keys. */
  readonly stop: () => Promise<void>
}

/** Throws the code of the first thing that a Verifier cannot do without. `doom` is called where it must end. */
export async function startVerifier(
  config: VerifierConfig,
  { tls, roots, crls, kds, oci }: Material,
  {
    software,
    clock,
    log,
    doom,
  }: {
    readonly software: string
    readonly clock: Clock
    readonly log: Log
    readonly doom: (reason: string) => void
  },
): Promise<Verifier> {
  const { audience, tenant, simulation, namespace, buckets } = config
  const { now } = clock
  const store = oci.objectStore()
  const vault = oci.keyVault()
  const place = (bucket: string) => ({ namespace, bucket })
  const grantCa = await vault.signer(config.grantCaKeyId)
  const nonceKeys = await createNonceKeys(oci.secretStore(), config.macSecretId, clock)
  const grantKeys = await createGrantKeys(grantCa, now)
  const custody = createCustody(vault, tenant, clock)
  const counts = createRefusalCounts()
  const registry = createRegistry(store, place(buckets.evidence), grantCa)
  const evidence = await openIdentity({
    store,
    bucket: place(buckets.evidence),
    registry,
    software,
    simulation,
    now,
  })

  const policyStore = createPolicyStore({
    store,
    bucket: place(buckets.governance),
    root: config.providerRoot,
    verifier: {
      audience,
      tenant,
      simulation,
      vaultOnLoopback: (['vaultCrypto', 'vaultManagement'] as const).every((name) =>
        isLoopback(endpointOf(config.oci, name)),
      ),
    },
    grantCa: { keyId: config.grantCaKeyId, jwk: grantCa.jwk },
    clock,
    events: {
      loaded: ({ policy, digest }, { seq: revocationSeq }) => {
        evidence.append({
          event: 'policy.loaded',
          policySeq: policy.seq,
          policyDigest: digest,
          revocationSeq,
        })
        log.info('policy loaded', { policySeq: policy.seq, revocationSeq })
      },
      rejected: (name, error) => log.error('governance object refused', { name, ...errorFields(error) }),
    },
  })
  await policyStore.refresh()
  await evidence.flush()

  const metricRegistry = createMetricRegistry()
  const metrics = createMetrics(metricRegistry, {
    simulation,
    policyAge: policyStore.ageSeconds,
    crls: () =>
      lists.held().map(({ product, thisUpdate, nextUpdate }) => ({
        product,
        left: nextUpdate - now(),
        age: now() - thisUpdate,
      })),
  })
  const lists = createRevocationLists({
    folder: config.endorsements.folder,
    roots,
    crls,
    kds,
    clock,
    log,
    failed: metrics.crlFailed,
  })
  const heed = (error: unknown): void => {
    if (codeOf(error) === 'evidence.conflict') doom('evidence.conflict')
  }
  const desk: ReleaseDesk = {
    audience,
    roots,
    crls: lists.held,
    nonceKeys: nonceKeys.checking,
    inForce: policyStore.inForce,
    spendNonce: createNonceMarkers(store, place(buckets.state), evidence.boot),
    registry,
    custody,
    grantKeys,
    evidence,
    now,
    failed: (releaseId, error) => log.error('release failed', { releaseId, ...errorFields(error) }),
    answered: metrics.answered,
  }
  const challenge = (): Challenge => {
    const iat = now()
    const nonce = mintNonce(nonceKeys.minting(), audience, iat, randomBytes(NONCE_RANDOM_BYTES))
    return { nonce: toBase64url(nonce), exp: addSeconds(iat, NONCE_LIFETIME_SECONDS), aud: audience }
  }

  const recordCounts = (all: boolean) => {
    for (const entry of counts.take(now(), all)) evidence.append(entry)
  }
  const chores: readonly Chore[] = [
    {
      name: 'policy',
      seconds: config.policyListingSeconds,
      run: async (signal) => {
        await policyStore.refresh(AbortSignal.any([signal, AbortSignal.timeout(LISTING_MILLISECONDS)]))
        await evidence.flush(signal)
      },
    },
    { name: 'nonce keys', seconds: KEYS_SECONDS, run: nonceKeys.refresh },
    { name: 'grant key', seconds: KEYS_SECONDS, run: grantKeys.renewIfDue },
    { name: 'revocation lists', seconds: LISTS_SECONDS, atOnce: true, run: lists.refresh },
    { name: 'refusal counts', seconds: COUNTS_SECONDS, run: async () => recordCounts(false) },
  ]

  const ending = new AbortController()
  const server = await startServer(
    { listen: config.listen, tls },
    {
      challenge,
      release: async (body) => answerRelease(body, desk),
      refused: ({ code, id, address, error }) => {
        counts.count(code, address, now())
        metrics.refused(code)
        log.info('request refused', { denialId: id, ...errorFields(error), code })
        heed(error)
      },
      answered: metrics.request,
    },
  )
  const monitor = await startMonitor(config.monitor, metricRegistry, {
    alive: () => true,
    ready: () => !ending.signal.aborted && isReady(policyStore.inForce),
  })
  const chored = doChores(chores, { clock, log, signal: ending.signal, failed: heed })

  return {
    url: server.url,
    monitorUrl: monitor.url,
    boot: evidence.boot,
    stop: async () => {
      ending.abort()
      // The other half of the drain is for the evidence.
      await server.close(config.drainSeconds * 500)
      await chored
      recordCounts(true)
      await closeLog(() => evidence.close('drained'), clock, log)
      custody.close()
      oci.close()
      await monitor.close()
    },
  }
}

function isReady(inForce: () => unknown): boolean {
  try {
    inForce()
    return true
  } catch {
    return false
  }
}

/** Until it is stored; whoever drains for too long ends the process. */
async function closeLog(close: () => Promise<unknown>, clock: Clock, log: Log): Promise<void> {
  for (;;) {
    try {
      await close()
      return
    } catch (error) {
      if (codeOf(error) !== 'evidence.unavailable') throw error
      log.warn('evidence waits to be stored', errorFields(error))
      await clock.sleep(CLOSING_MILLISECONDS)
    }
  }
}
