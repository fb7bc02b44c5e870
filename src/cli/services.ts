/** The services of a command, opened from its configuration. */
import { createPrivateKey } from 'node:crypto'
import { openCollection, readerOf } from '#adapters/evidence/collection.ts'
import type { ResultTrust } from '#adapters/evidence/resultManifest.ts'
import { createFreshnessSigner, type FreshnessSigner } from '#adapters/governance/freshness.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import type { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'
import { readPem } from '#adapters/system/pem.ts'
import { expectTrueClock } from '#adapters/system/trueClock.ts'
import { CodedError } from '#core/errors.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import type { Ignored } from '#core/policy/inForce.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import type { FreshnessConfig, OpenConfig, SigningKey } from './config.ts'

/** Makes no call yet. The caller closes it. Throws `config.invalid`. */
export function openServices(config: { readonly oci: OciConfig; readonly simulation: boolean }): Oci {
  return createOci(config.oci, { allowPlainHttp: config.simulation, clock: systemClock })
}

/**
 * A key that signs. `field` is the configuration's. Throws `config.invalid` for a file that holds no Ed25519 or
 * P-384 private key.
 */
export async function openSigner(
  key: SigningKey,
  field: string,
  vault: () => Pick<KeyVault, 'signer'>,
): Promise<Signer> {
  if (key.kind === 'vault') return await vault().signer(key.keyId)
  const pem = await readPem(`${field}.path`, key.path)
  try {
    return keySigner(createPrivateKey(pem))
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}.path is not a private key of Ed25519 or P-384`, {
      cause,
    })
  }
}

/** The signer of freshness statements; the caller closes the services. Its clock must be OCI's. */
export async function openFreshness(
  config: FreshnessConfig,
  ignored: (object: Ignored) => void,
): Promise<{ readonly services: Oci; readonly signer: FreshnessSigner }> {
  const { trust, tenant, namespace, buckets, state } = config
  const skew = createClockSkew(systemClock)
  const services = createOci(config.oci, { allowPlainHttp: trust.simulation, clock: systemClock, skew })
  try {
    const store = services.objectStore()
    const freshness = await createFreshnessSigner({
      store,
      governance: readerOf(store, { namespace, bucket: buckets.governance }),
      bucket: { namespace, bucket: buckets.freshness },
      pin: { root: trust.providerRoot, deployment: { tenant, audience: trust.audience } },
      signer: await openSigner(config.freshnessKey, 'freshnessKey', () => services.keyVault()),
      state,
      clock: systemClock,
      ignored,
      expectTrueClock: () => expectTrueClock(skew),
    })
    return { services, signer: freshness }
  } catch (error) {
    services.close()
    throw error
  }
}

/** Keys and registrations, from the provider's buckets or from a folder with copies of them. */
export function resultTrust(
  { trust, tenant, provider }: Pick<OpenConfig, 'trust' | 'tenant' | 'provider'>,
  from: Pick<ObjectStore, 'list' | 'head' | 'readAll'> | { readonly evidence: string },
): ResultTrust {
  const { providerRoot, simulation, audience } = trust
  const pin = { providerRoot, simulation, deployment: { tenant, audience } }
  if ('evidence' in from) {
    const { governance, verifierLogs } = openCollection(from.evidence)
    return { ...pin, governance, registrations: verifierLogs }
  }
  const { namespace, governance, evidence } = provider
  return {
    ...pin,
    governance: readerOf(from, { namespace, bucket: governance }),
    registrations: readerOf(from, { namespace, bucket: evidence }),
  }
}
