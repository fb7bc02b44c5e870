/**
 * The epochs of the nonce's MAC key, a Vault secret that all replicas read. A replica checks nonces of a new
 * epoch as soon as it has read it. It mints with it one minute later, when every replica has read it. Nonces
 * of the previous epoch are checked until the last of them has expired.
 */
import { CodedError } from '#core/errors.ts'
import { NONCE_KEY_BYTES, NONCE_LIFETIME_SECONDS, type NonceKey } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import type { SecretStore } from '#ports/keyVault.ts'

const SPREAD_MILLISECONDS = 60_000
const RETIRE_MILLISECONDS = SPREAD_MILLISECONDS + (NONCE_LIFETIME_SECONDS + 60) * 1000

export type NonceKeys = {
  readonly minting: () => NonceKey
  /** At most two: the newest, and the previous one while its nonces have not expired. */
  readonly checking: () => readonly NonceKey[]
  /** Reads the secret again. If the store throws, the known epochs stay in use. */
  readonly refresh: () => Promise<void>
}

type Epoch = NonceKey & { readonly readAt: number }

/** Throws `config.invalid` if the secret is not 32 bytes long. */
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
