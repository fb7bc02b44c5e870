/** A dataset's identity key, from which workers derive pseudonyms: made here, and wrapped by the Vault at once. */
import { randomBytes } from 'node:crypto'
import { toBase64url } from '#core/bytes.ts'
import type { Dataset } from '#core/policy/policy.ts'
import { ID_KEY_BYTES, idKeyAssociatedData } from '#core/release/idKey.ts'
import type { KeyVault } from '#ports/keyVault.ts'

/** The key exists in the clear only inside this function. */
export async function wrapNewIdKey(
  vault: Pick<KeyVault, 'encrypt'>,
  keyId: string,
  { tenant, dataset }: { readonly tenant: string; readonly dataset: string },
): Promise<Dataset['idKey']> {
  const idKey = randomBytes(ID_KEY_BYTES)
  try {
    const { wrapped, keyVersionId } = await vault.encrypt(keyId, idKey, idKeyAssociatedData(tenant, dataset))
    return { keyId, keyVersionId, wrapped: toBase64url(wrapped) }
  } finally {
    idKey.fill(0)
  }
}
