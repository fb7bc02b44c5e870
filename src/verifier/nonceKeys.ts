/**
 * The epochs of the nonce's MAC key, a Vault secret that all replicas read. A new epoch is checked from the moment
 * that it is read and minted with a minute later, when every replica has read it; the one before is checked until
 * the last nonce under it has expired.
 */
import { CodedError } from '#core/errors.ts'
import { NONCE_KEY_BYTES, NONCE_LIFETIME_SECONDS, type NonceKey } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import type { SecretStore } from '#ports/keyVault.ts'

const SPREAD_MILLISECONDS = 60_000
const RETIRE_MILLISECONDS = SPREAD_MILLISECONDS + (NONCE_LIFETIME_SECONDS + 60) * 1000

export type NonceKeys = {
  readonly minting: () => NonceKey
  /** At most two: the newest, and the one before while nonces under it are alive. */
  readonly checking: () => readonly NonceKey[]
  /** Reads the secret again; throws what the store throws, after which the known epochs stand. */
  readonly refresh: () => Promise<void>
}

type Epoch = NonceKey & { readonly readAt: number }

/** Throws `config.invalid` where the secret is not 32 bytes. */
export async function createNonceKeys(
  secrets: SecretStore,
  secretId: string,
  clock: Pick<Clock, 'monotonic'>,
): Promise<NonceKeys> {
  let newest = await read(Number.NEGATIVE_INFINITY)
  let previous: Epoch | undefined

  async function read(readAt: number): Promise<Epoch> {
    const { content, version } = await secrets.read(secretId)
    if (content.byteLength !== NONCE_KEY_BYTES)
      throw new CodedError(
        'config.invalid',
        `the nonce secret has ${content.byteLength} bytes, not ${NONCE_KEY_BYTES}`,
      )
    return { epoch: version, key: content, readAt }
  }

  const age = () => clock.monotonic() - newest.readAt
  return {
    minting: () => (previous !== undefined && age() < SPREAD_MILLISECONDS ? previous : newest),
    checking: () => (previous !== undefined && age() < RETIRE_MILLISECONDS ? [newest, previous] : [newest]),
    refresh: async () => {
      const current = await read(clock.monotonic())
      if (current.epoch <= newest.epoch) return
      previous = newest
      newest = current
    },
  }
}
