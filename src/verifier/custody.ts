/**
 * From the Vault to the TEE: the one place where a provider's keys are in this process, for as long as it takes to
 * wrap them.
 */
import PQueue from 'p-queue'
import { fromBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { P256Jwk } from '#core/jwk.ts'
import type { Dataset } from '#core/policy/policy.ts'
import type { GrantedObject } from '#core/release/decide.ts'
import { DEK_BYTES, ID_KEY_BYTES, idKeyAssociatedData, wrapKeys } from '#core/release/wrap.ts'
import { sealAssociatedData } from '#core/sealed/header.ts'
import type { Clock } from '#ports/clock.ts'
import type { AssociatedData, KeyVault } from '#ports/keyVault.ts'

/** Calls to the Vault at one time, over all requests. */
const CONCURRENCY = 64
/** How long after its deletion in the Vault an idKey may still go out. */
const ID_KEY_MILLISECONDS = 60_000

export type Custody = {
  /** The JWE for one object. Throws `key.unopened` where a wrapped key is not of its object, or the Vault's own code. */
  readonly wrapFor: (
    object: GrantedObject,
    dataset: Dataset,
    to: { readonly wrapKey: P256Jwk; readonly nonce: Uint8Array },
  ) => Promise<string>
  /** Forgets the cached keys. */
  readonly close: () => void
}

type CachedKey = { readonly key: Promise<Buffer>; readonly readAt: number }

export function createCustody(vault: KeyVault, tenant: string, clock: Pick<Clock, 'monotonic'>): Custody {
  const calls = new PQueue({ concurrency: CONCURRENCY })
  const idKeys = new Map<string, CachedKey>()

  const decrypt = async (keyId: string, wrapped: string, data: AssociatedData, bytes: number) => {
    const key = await calls.add(() => vault.decrypt(keyId, fromBase64url(wrapped), data))
    if (key.byteLength === bytes) return key
    key.fill(0)
    throw new CodedError('key.unopened', `a wrapped key holds ${key.byteLength} bytes, not ${bytes}`)
  }

  const idKeyOf = async ({ id, idKey }: Dataset): Promise<Buffer> => {
    const slot = `${id}\n${idKey.keyId}\n${idKey.wrapped}`
    const cached = idKeys.get(slot)
    if (cached !== undefined && clock.monotonic() - cached.readAt < ID_KEY_MILLISECONDS)
      return await cached.key
    const key = decrypt(idKey.keyId, idKey.wrapped, idKeyAssociatedData(tenant, id), ID_KEY_BYTES)
    const entry = { key, readAt: clock.monotonic() }
    idKeys.set(slot, entry)
    // The one before is left to the collector, not wiped: a request of this moment may be wrapping it.
    key.catch(() => {
      if (idKeys.get(slot) === entry) idKeys.delete(slot)
    })
    return await key
  }

  return {
    wrapFor: async ({ header, headerDigest }, dataset, { wrapKey, nonce }) => {
      const { keyId, wrappedDek } = header.custody
      const idKey = await idKeyOf(dataset)
      const dek = await decrypt(keyId, wrappedDek, sealAssociatedData(header), DEK_BYTES)
      try {
        return wrapKeys({ dek, idKey }, wrapKey, { nonce, headerDigest })
      } finally {
        dek.fill(0)
      }
    },
    close: () => {
      for (const { key } of idKeys.values()) key.then((bytes) => bytes.fill(0)).catch(() => {})
      idKeys.clear()
    },
  }
}
