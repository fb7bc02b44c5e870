/** This start of the Verifier: a key born here, the log under it, and its registration by the grant CA. */

import { generateKeyPairSync } from 'node:crypto'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import type { Registry } from './registry.ts'

/** The log is open and durable before it is registered: what is registered can be found. */
export async function openIdentity(options: {
  readonly store: ObjectStore
  readonly bucket: Omit<ObjectRef, 'name'>
  readonly registry: Registry
  readonly software: string
  readonly simulation: boolean
  readonly now: () => UnixSeconds
}): Promise<EvidenceLog> {
  const { registry, simulation, now } = options
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(key)
  const evidence = createEvidenceLog({ ...options, role: 'verifier', key: privateKey, boot })
  await evidence.flush()
  await registry.register({
    v: 1,
    role: 'verifier',
    boot,
    origin: logOrigin('verifier', boot),
    key,
    attestation: null,
    simulation,
    time: now(),
  })
  return evidence
}
