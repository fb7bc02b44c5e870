/** The governance bucket as a signer sees it: what is in force, and how a document gets there. */
import { bucketReader } from '#adapters/evidence/collection.ts'
import type { Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { readPrivateKey } from '#adapters/system/privateKey.ts'
import { GovernConfig } from '#cli/config.ts'
import { openServices } from '#cli/services.ts'
import { fromUtf8, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { thumbprint } from '#core/jwk.ts'
import { keySigner, type RootKey, type Signer } from '#core/jws.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import {
  beforeFreshness,
  FRESHNESS_FOLDER,
  type Freshness,
  FreshnessFormat,
  isFreshnessName,
  readFreshness,
} from '#core/policy/freshness.ts'
import { type Candidates, type Governance, governanceInForce, type Pin } from '#core/policy/inForce.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

const LOOK_MILLISECONDS = 2000

export type Bench = {
  readonly config: GovernConfig
  readonly pin: Pin
  readonly services: Oci
  /** Lists the bucket again. */
  readonly look: () => Promise<{ readonly inForce: Governance; readonly candidates: Candidates }>
  /** Creates an object by its bytes; once more does no harm. */
  readonly store: (name: string, bytes: Uint8Array) => Promise<void>
  /** A whole object of at most so many bytes. */
  readonly read: (name: string, maxBytes: number) => Promise<Buffer>
  /** Creates the object. Throws `service.conflict` if its name has other content. */
  readonly create: (name: string, document: object) => Promise<void>
  /**
   * Waits until a freshness statement satisfies `names`. False if none did in time, or if the configuration
   * names no bucket of statements.
   */
  readonly awaitStatement: (names: (stated: Freshness) => boolean, seconds: number) => Promise<boolean>
}

/** Closes the services afterwards. Throws `config.invalid`. */
export async function atBench<T>(
  { config: path, command }: { readonly config: string; readonly command: string },
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  const config = await readConfig(path, GovernConfig, command)
  const services = openServices({ oci: config.oci, simulation: config.trust.simulation })
  try {
    return await work(openBench(config, services))
  } finally {
    services.close()
  }
}

export function openBench(config: GovernConfig, services: Oci): Bench {
  const { trust, tenant, namespace, buckets } = config
  const store = services.objectStore()
  const place = { namespace, bucket: buckets.governance }
  const pin = { root: trust.providerRoot, deployment: { tenant, audience: trust.audience } }
  const bucket = new GovernanceBucket(bucketReader(store, place), pin.root)
  const look: Bench['look'] = async () => {
    await bucket.refresh()
    const { candidates } = bucket
    return { candidates, inForce: governanceInForce(candidates, pin, systemClock.now()) }
  }
  return {
    config,
    pin,
    services,
    look,
    store: async (name, bytes) => {
      await createOnce(store, { ...place, name }, bytes)
    },
    read: async (name, maxBytes) => await store.readAll({ ...place, name }, maxBytes),
    create: async (name, document) => {
      const stored = await createOnce(store, { ...place, name }, utf8(JSON.stringify(document)))
      if (stored === 'foreign')
        throw new CodedError('service.conflict', `${name} exists already, with other signatures`)
    },
    awaitStatement: async (names, seconds) => {
      const until = systemClock.monotonic() + seconds * 1000
      while (buckets.freshness !== undefined) {
        const { inForce } = await look()
        const stated = await newestStatement(
          store,
          { namespace, bucket: buckets.freshness },
          { pin, inForce },
        )
        if (stated !== undefined && names(stated)) return true
        if (systemClock.monotonic() > until) return false
        await systemClock.sleep(LOOK_MILLISECONDS)
      }
      return false
    },
  }
}

async function newestStatement(
  store: ObjectStore,
  place: { readonly namespace: string; readonly bucket: string },
  { pin, inForce }: { readonly pin: Pin; readonly inForce: Governance },
): Promise<Freshness | undefined> {
  const key = inForce.verifierKeys?.document?.content?.freshnessKey
  if (key === undefined) return undefined
  const listed = await Array.fromAsync(
    store.list(place, FRESHNESS_FOLDER, beforeFreshness(systemClock.now())),
  )
  for (const { name } of listed.toReversed().filter((object) => isFreshnessName(object.name))) {
    try {
      const bytes = await store.readAll({ ...place, name }, FreshnessFormat.maxBytes * 2)
      return readFreshness(fromUtf8(bytes, name), key, pin.deployment)
    } catch (error) {
      if (!['policy.stale', 'encoding.invalid', 'service.failed'].includes(codeOf(error))) throw error
    }
  }
  return undefined
}

/**
 * The signer behind `--key`: a file, or a Vault key by its OCID. Throws `signer.unusable`, and `signer.unknown`
 * unless the key is one of the provider root that `excluded` does not name.
 */
export async function openKey(
  key: string,
  { pin, services }: Pick<Bench, 'pin' | 'services'>,
  excluded: readonly string[] = [],
): Promise<Signer & RootKey> {
  const member = memberOf(await signerOf(key, { services }), { pin })
  if (excluded.includes(member.kid))
    throw new CodedError(
      'signer.unknown',
      `--key: the key ${member.kid} of ${member.person} is excluded by the policy`,
    )
  return member
}

/** A file, or a Vault key by its OCID. Throws `signer.unusable`. */
export async function signerOf(key: string, { services }: Pick<Bench, 'services'>): Promise<Signer> {
  return key.startsWith('ocid1.') ? await services.keyVault().signer(key) : await fileSigner(key)
}

/** Throws `signer.unknown`. */
export function memberOf(signer: Signer, { pin }: Pick<Bench, 'pin'>): Signer & RootKey {
  const kid = thumbprint(signer.jwk)
  const member = pin.root.keys.find(({ jwk }) => thumbprint(jwk) === kid)
  if (member === undefined)
    throw new CodedError('signer.unknown', `the key ${kid} is of no person of the provider root`)
  return { ...signer, kid, person: member.person }
}

async function fileSigner(path: string): Promise<Signer> {
  const key = await readPrivateKey(path)
  try {
    return keySigner(key)
  } catch {
    throw new CodedError('signer.unusable', `${path} is neither an Ed25519 nor a P-384 key`)
  }
}
