/** A row about keys of others: what a role could unwrap with them would never have been released to it. */
import { createOci, type Oci, type OciOptions } from '#adapters/oci/clients.ts'
import type { OciConfig } from '#adapters/oci/config.ts'
import { CodedError } from '#core/errors.ts'
import { ocid } from '#core/fields.ts'
import { type Check, finding, good, left } from './check.ts'
import type { DoctorOption } from './text.ts'

export const NEVER_KEY: DoctorOption = {
  name: 'never-key',
  value: 'ocid[@url]',
  meaning:
    'a Vault key of others that must stay out of reach, with the cryptographic endpoint of its Vault if that is another; more than once',
}

export type ForeignKey = { readonly keyId: string; readonly oci: Oci }

/** The caller closes each `oci`. Throws `usage.invalid`. */
export function foreignKeys(
  given: readonly string[] | undefined,
  config: OciConfig,
  options: OciOptions,
): readonly ForeignKey[] {
  return (given ?? []).map((text) => {
    const [keyId = '', url] = text.split('@')
    if (!ocid.safeParse(keyId).success)
      throw new CodedError('usage.invalid', `--never-key is ${text}, expected the OCID of a key`)
    const endpoints = url === undefined ? config.endpoints : { ...config.endpoints, vaultCrypto: url }
    return { keyId, oci: createOci({ ...config, endpoints }, options) }
  })
}

export function foreignKeyCheck<Context extends { readonly foreign: readonly ForeignKey[] }>(
  group: string,
): Check<Context> {
  return {
    id: 'key.foreign',
    tries: 'decrypts bytes that are no ciphertext, under each key of --never-key',
    expects: 'refused',
    remedy: `take KEY_DECRYPT on this key away from ${group}: it gets keys only from the Verifier`,
    run: async ({ foreign }) => {
      if (foreign.length === 0) return left('no key is named: give --never-key the OCIDs of the dataset keys')
      return await Promise.all(
        foreign.map(async ({ keyId, oci }) =>
          (await oci.probes().mayDecrypt(keyId))
            ? finding(`${keyId}: decryption is allowed, and must be refused`)
            : good(`${keyId}: refused`),
        ),
      )
    },
  }
}
