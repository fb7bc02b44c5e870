/** The registrations of boots, as the worker reads them from the provider's bucket. */
import { type Registration, readRegistration, registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import type { GrantCa } from '#core/policy/verifierKeys.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { readText } from './texts.ts'

const MAX_BYTES = 16_384
/** Far more than the boots that one worker meets. */
const MAX_KNOWN = 1024

export type Registrations = {
  /**
   * Undefined if the boot has none that can be seen. Throws `evidence.malformed` or `evidence.inconsistent`
   * for one that none of these grant CAs has signed.
   */
  readonly find: (
    boot: string,
    grantCas: readonly GrantCa[],
    signal: AbortSignal,
  ) => Promise<Registration | undefined>
}

/** A registration is never rewritten, so it is read once. Its signature is verified each time. */
export function createRegistrations(
  store: Pick<ObjectStore, 'readAll'>,
  bucket: Omit<ObjectRef, 'name'>,
): Registrations {
  const known = new Map<string, string>()
  return {
    find: async (boot, grantCas, signal) => {
      const name = registrationName(boot)
      const text = known.get(boot) ?? (await readText(store, { ...bucket, name }, MAX_BYTES, signal))
      if (text === undefined) return undefined
      const registration = readRegistration(utf8(text), name, grantCas)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(boot, text)
      return registration
    },
  }
}
