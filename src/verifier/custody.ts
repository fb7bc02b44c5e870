/**
 * From the Vault to the TEE: the only place where a provider's keys are in this process. Each is wiped once
 * it has been wrapped to the worker. A dataset's idKey and the keys of its consent lists stay for up to a
 * minute, since they are the same for all of its objects.
 */
import PQueue from 'p-queue'
import { fromBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { P256Jwk } from '#core/jwk.ts'
import type { Consent } from '#core/policy/consent.ts'
import type { ConsentUnion } from '#core/policy/consentUnion.ts'
import type { Dataset } from '#core/policy/policy.ts'
import type { GrantedObject } from '#core/release/decide.ts'
import { ID_KEY_BYTES, idKeyAssociatedData } from '#core/release/idKey.ts'
import { DEK_BYTES, wrapKeys, wrapListKeys } from '#core/release/wrap.ts'
import { listAssociatedData } from '#core/sealed/consentList.ts'
import { sealAssociatedData } from '#core/sealed/header.ts'
import type { Clock } from '#ports/clock.ts'
import type { AssociatedData, KeyVault } from '#ports/keyVault.ts'

/** Calls to the Vault at the same time, over all requests. */
const CONCURRENCY = 64
/** How long after its deletion in the Vault such a key may still be released. */
const SHARED_MILLISECONDS = 60_000

export type Custody = {
  /**
   * The JWE for one object. Throws the Vault's code, `key.unopened` for a key that is not this object's, or
   * what `expectRelease` throws: it runs right before the DEK is asked for, which may have waited for others.
   */
  readonly wrapFor: (
    object: GrantedObject,
    dataset: Dataset,
    recipient: { readonly wrapKey: P256Jwk; readonly nonce: Uint8Array },
    asking: { readonly expectRelease: () => void; readonly signal: AbortSignal },
  ) => Promise<string>
  /** The JWE with the keys of the consent lists in force, in their order. Throws as `wrapFor`. */
  readonly wrapLists: (
    consent: Pick<ConsentUnion, 'inForce' | 'digest'>,
    recipient: { readonly wrapKey: P256Jwk; readonly nonce: Uint8Array },
  ) => Promise<string>
  /** Forgets the cached keys. */
  readonly close: () => void
}

type Wrapped = { readonly keyId: string; readonly wrapped: string; readonly data: AssociatedData }
type CachedKey = { readonly key: SharedKey; readonly readAt: number }

export function createCustody(vault: KeyVault, tenant: string, clock: Pick<Clock, 'monotonic'>): Custody {
  const calls = new PQueue({ concurrency: CONCURRENCY })
  const sharedKeys = new Map<string, CachedKey>()

  const decrypt = async (
    { keyId, wrapped, data }: Wrapped,
    bytes: number,
    asking?: Parameters<Custody['wrapFor']>[3],
  ) => {
    const key = await calls.add(() => {
      asking?.expectRelease()
      return vault.decrypt(keyId, fromBase64url(wrapped), data, asking?.signal)
    })
    if (key.byteLength === bytes) return key
    key.fill(0)
    throw new CodedError('key.unopened', `a wrapped key holds ${key.byteLength} bytes, not ${bytes}`)
  }

  const forget = (slot: string, { key }: CachedKey): void => {
    sharedKeys.delete(slot)
    key.drop()
  }
  const forgetOld = (): void => {
    for (const [slot, cached] of sharedKeys)
      if (clock.monotonic() - cached.readAt >= SHARED_MILLISECONDS) forget(slot, cached)
  }

  const shared = (asked: Wrapped, length: number): SharedKey => {
    forgetOld()
    const slot = JSON.stringify(asked)
    const known = sharedKeys.get(slot)
    if (known !== undefined) return known.key
    // For all who wait for it, so no single request ends it.
    const bytes = decrypt(asked, length)
    const cached = { key: new SharedKey(bytes), readAt: clock.monotonic() }
    sharedKeys.set(slot, cached)
    // A failure is not remembered: the next request asks the Vault again.
    bytes.catch(() => {
      if (sharedKeys.get(slot) === cached) forget(slot, cached)
    })
    return cached.key
  }
  const idKeyOf = ({ id, idKey: { keyId, wrapped } }: Dataset): SharedKey =>
    shared({ keyId, wrapped, data: idKeyAssociatedData(tenant, id) }, ID_KEY_BYTES)
  const listKeyOf = ({ dataset, list: { id, custody } }: Consent): SharedKey =>
    shared(
      {
        keyId: custody.keyId,
        wrapped: custody.wrappedDek,
        data: listAssociatedData({ tenant, dataset, id }),
      },
      DEK_BYTES,
    )

  return {
    wrapFor: ({ header, headerDigest }, dataset, { wrapKey, nonce }, asking) =>
      idKeyOf(dataset).use(async (idKey) => {
        const { keyId, wrappedDek } = header.custody
        const data = sealAssociatedData(header)
        const dek = await decrypt({ keyId, wrapped: wrappedDek, data }, DEK_BYTES, asking)
        try {
          return wrapKeys({ dek, idKey }, wrapKey, { nonce, headerDigest })
        } finally {
          dek.fill(0)
        }
      }),
    wrapLists: async ({ inForce, digest }, { wrapKey, nonce }) => {
      const context = { nonce, consentDigest: fromBase64url(digest) }
      const deks: Buffer[] = []
      try {
        const copied = inForce.map((list) => listKeyOf(list).use(async (key) => Buffer.from(key)))
        for (const copy of await Promise.allSettled(copied))
          if (copy.status === 'fulfilled') deks.push(copy.value)
        // Throws what failed first, after all others have been collected and will be wiped.
        await Promise.all(copied)
        return wrapListKeys(deks, wrapKey, context)
      } finally {
        for (const dek of deks) dek.fill(0)
      }
    },
    close: () => {
      for (const [slot, cached] of sharedKeys) forget(slot, cached)
    },
  }
}

/** A key that the cache and several requests hold at the same time. The last one to let go wipes it. */
class SharedKey {
  readonly #bytes: Promise<Buffer>
  // Invariant: the bytes are intact while #holders > 0. The first holder is the cache.
  #holders = 1

  constructor(bytes: Promise<Buffer>) {
    this.#bytes = bytes
  }

  /** Only for a key that the cache still holds. */
  async use<T>(work: (bytes: Buffer) => Promise<T>): Promise<T> {
    this.#holders += 1
    try {
      return await work(await this.#bytes)
    } finally {
      this.drop()
    }
  }

  drop(): void {
    this.#holders -= 1
    if (this.#holders > 0) return
    // A key that never came needs no wiping.
    this.#bytes.then((bytes) => bytes.fill(0)).catch(() => {})
  }
}
