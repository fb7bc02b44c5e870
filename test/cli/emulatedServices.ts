/** The emulated services of both tenancies, with configuration files for the commands. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import type { KeyVault } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { providerRoot } from '../core/evidence/collectionBuilder.ts'
import { AUDIENCE } from '../core/release/releaseWorld.ts'
import {
  apiKey,
  CONSUMER,
  CONSUMER_NAMESPACE,
  emulatorFor,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  REGION,
  temporaryFolder,
  testConfig,
} from '../lab/emulator/testEmulator.ts'

/** May do everything in one tenancy, and so stands for the rest of the pipeline. */
const MANAGER = 'manager'

export async function startServices(t: TestContext) {
  const config = testConfig({
    change: (w) => {
      w.eventRules.splice(0)
      for (const { id: tenancyId } of w.tenancies) {
        const name = `${MANAGER}-${tenancyId === PROVIDER ? 'provider' : 'consumer'}`
        w.instances.push({
          id: id('instance', name),
          name,
          compartmentId: tenancyId,
          imdsPort: 0,
        })
        w.dynamicGroups.push({
          id: id('dynamicgroup', name),
          name,
          tenancyId,
          rule: `ALL {instance.id = '${id('instance', name)}'}`,
        })
        const policy = w.policies.find((policy) => policy.tenancyId === tenancyId)
        if (policy !== undefined && tenancyId === PROVIDER)
          // A policy signer whose key is in the Vault.
          policy.statements += `\nAllow group governance to {KEY_SIGN} in compartment vault where target.key.id = '${id('key', 'sealing')}'\n`
        if (policy !== undefined)
          policy.statements += `\nAllow dynamic-group ${name} to {OBJECT_CREATE, OBJECT_READ, OBJECT_INSPECT, KEY_READ, KEY_DECRYPT, KEY_ENCRYPT} in tenancy\n`
      }
    },
  })
  const emulator = await emulatorFor(t, config)
  const folder = await temporaryFolder(t)
  const configs = await writeConfigs(folder, emulator, providerRoot)
  return { emulator, folder, configs }
}

export function managerOf(
  t: TestContext,
  emulator: Emulator,
  side: 'provider' | 'consumer',
): { readonly store: ObjectStore; readonly vault: KeyVault } {
  const { endpoint } = emulator
  const oci = createOci(
    OciConfig.parse({
      principal: {
        kind: 'instance',
        metadataUrl: emulator.imds[id('instance', `${MANAGER}-${side}`)],
        federationUrl: endpoint,
      },
      endpoints: { objectStorage: endpoint, vaultCrypto: endpoint, vaultManagement: endpoint },
    }),
    { allowPlainHttp: true, clock: systemClock },
  )
  t.after(() => oci.close())
  return { store: oci.objectStore(), vault: oci.keyVault() }
}

const USERS = {
  sealer: PROVIDER,
  governor: PROVIDER,
  auditor: PROVIDER,
  enroller: PROVIDER,
  freshness: PROVIDER,
  researcher: CONSUMER,
} as const

/** Writes the configuration files of sealer, researcher and auditor; returns their paths. */
async function writeConfigs(
  folder: string,
  emulator: Emulator,
  providerRoot: unknown,
): Promise<{
  readonly seal: string
  readonly open: string
  readonly audit: string
  /** The `oci` of another configuration. */
  readonly oci: (profile: keyof typeof USERS) => object
}> {
  const keyFile = join(folder, 'api.pem')
  await writeFile(keyFile, apiKey.privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const profiles = Object.entries(USERS).map(
    ([name, tenancy]) =>
      `[${name}]\nuser=${id('user', name)}\nfingerprint=${fingerprintOf(apiKey.publicKey)}\ntenancy=${tenancy}\nregion=${REGION}\nkey_file=${keyFile}\n`,
  )
  const path = join(folder, 'oci.ini')
  await writeFile(path, profiles.join('\n'))
  const oci = (profile: keyof typeof USERS) => ({
    principal: { kind: 'config-file', path, profile },
    endpoints: {
      objectStorage: emulator.endpoint,
      vaultCrypto: emulator.endpoint,
      vaultManagement: emulator.endpoint,
    },
  })
  const provider = { namespace: PROVIDER_NAMESPACE, governance: 'governance', evidence: 'evidence-verifier' }
  const configs = {
    seal: {
      tenant: 'hospital',
      dataset: 'cohort-a',
      keyId: id('key', 'dataset'),
      sealingKey: { kind: 'vault', keyId: id('key', 'sealing') },
      oci: oci('sealer'),
      namespace: PROVIDER_NAMESPACE,
      buckets: { outbox: 'outbox', governance: 'governance' },
      simulation: true,
    },
    open: {
      trust: { providerRoot, audience: AUDIENCE, simulation: true },
      tenant: 'hospital',
      oci: oci('researcher'),
      namespace: CONSUMER_NAMESPACE,
      bucket: 'results',
      provider,
    },
    audit: {
      oci: oci('auditor'),
      provider: { ...provider, workerEvidence: 'evidence-worker' },
      consumer: { namespace: CONSUMER_NAMESPACE, results: 'results' },
      simulation: true,
    },
  }
  const written = await Promise.all(
    Object.entries(configs).map(async ([name, config]) => {
      const file = join(folder, `${name}.json`)
      await writeFile(file, JSON.stringify(config))
      return [name, file] as const
    }),
  )
  // The keys are those of `configs`.
  const files = Object.fromEntries(written) as { seal: string; open: string; audit: string }
  return { ...files, oci }
}
