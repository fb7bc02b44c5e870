/**
 * The epochs of the nonce's MAC key, a Vault secret that all replicas read. A replica checks nonces of a new
 * epoch as soon as it has read it. It mints with it one minute later, when every replica has read it. Nonces
 * of the previous epoch are checked until the last of them has expired. A replica that starts meanwhile reads
 * both epochs and does the same, by the age of the newer one.
 */
import { CodedError, codeOf } from '#core/errors.ts'
import { NONCE_KEY_BYTES, NONCE_LIFETIME_SECONDS, type NonceKey } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import type { SecretStore, SecretVersion } from '#ports/keyVault.ts'

const SPREAD_MILLISECONDS = 60_000
const RETIRE_MILLISECONDS = SPREAD_MILLISECONDS + (NONCE_LIFETIME_SECONDS + 60) * 1000

export type NonceKeys = {
  readonly minting: () => NonceKey
  /** At most two: the newest, and the previous one while its nonces have not expired. */
  readonly checking: () => readonly NonceKey[]
  /** Reads the secret again. If the store throws, the known epochs stay in use. */
  readonly refresh: () => Promise<void>
}

/** `since`: when this replica could first have read it, by the monotonic clock. */
type Epoch = NonceKey & { readonly since: number }

/** Throws `config.invalid` if the secret is not 32 bytes long. */
export async function createNonceKeys(
  secrets: SecretStore,
  secretId: string,
  clock: Pick<Clock, 'now' | 'monotonic'>,
): Promise<NonceKeys> {
  const epochOf = ({ content, version }: SecretVersion, ageMilliseconds: number): Epoch => {
    if (content.byteLength !== NONCE_KEY_BYTES)
      throw new CodedError(
        'config.invalid',
        `the nonce secret has ${content.byteLength} bytes, not ${NONCE_KEY_BYTES}`,
      )
    return { epoch: version, key: content, since: clock.monotonic() - ageMilliseconds }
  }
  const age = ({ since }: Epoch) => clock.monotonic() - since

  const first = await secrets.read(secretId)
  let newest = epochOf(first, Math.max(0, clock.now() - first.createdAt) * 1000)
  let previous = age(newest) < RETIRE_MILLISECONDS ? await readPrevious() : undefined

  async function readPrevious(): Promise<Epoch | undefined> {
    try {
      return epochOf(await secrets.read(secretId, 'previous'), Number.POSITIVE_INFINITY)
    } catch (error) {
      // The secret was not rotated yet.
      if (codeOf(error) === 'service.missing') return undefined
      throw error
    }
  }

  return {
    minting: () => (previous !== undefined && age(newest) < SPREAD_MILLISECONDS ? previous : newest),
    checking: () =>
      previous !== undefined && age(newest) < RETIRE_MILLISECONDS ? [newest, previous] : [newest],
    refresh: async () => {
      const current = epochOf(await secrets.read(secretId), 0)
      if (current.epoch <= newest.epoch) return
      previous = newest
      newest = current
    },
  }
}
