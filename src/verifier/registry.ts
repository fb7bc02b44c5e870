/**
 * Which boots this provider knows: `registration/<boot>`, written once, in the first accepted release, and signed by
 * the grant CA. A boot stays what it was registered as until it ends.
 */
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { type Signer, signCompact, verifyCompact } from '#core/jws.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** Enough for every boot of a day's pool; an older one is read again from the bucket. */
const MAX_KNOWN = 4096

export type Registry = {
  /**
   * True where this call wrote it. Throws `boot.mismatch` where the boot is registered with another key, client or
   * machine, or by nobody that this provider knows.
   */
  readonly register: (registration: Registration) => Promise<boolean>
}

export function createRegistry(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  grantCa: Signer,
): Registry {
  const known = new Map<string, Registration>()
  return {
    register: async (registration) => {
      const first = known.get(registration.boot)
      if (first !== undefined) {
        expectSame(first, registration)
        return false
      }
      const stored = await writeOnce(store, bucket, grantCa, registration)
      expectSame(stored, registration)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(registration.boot, stored)
      return stored === registration
    },
  }
}

/** What is registered once this returns: the given registration itself, or the one that was there before. */
async function writeOnce(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  grantCa: Signer,
  registration: Registration,
): Promise<Registration> {
  const object = { ...bucket, name: registrationName(registration.boot) }
  const bytes = utf8(await signCompact(RegistrationFormat, registration, grantCa))
  // The Vault's signatures are randomised, so equal bytes can only come from this call.
  if ((await createOnce(store, object, bytes)) === 'ours') return registration
  const stored = await store.readAll(object, RegistrationFormat.maxBytes * 2)
  return verifyCompact(RegistrationFormat, stored.toString('latin1'), [grantCa.jwk], 'boot.mismatch').payload
}

/** The report and the release may change over a boot's life; what it is and for whom it works may not. */
function expectSame(stored: Registration, asked: Registration): void {
  const identity = ({ role, boot, key, attestation, simulation }: Registration) =>
    JSON.stringify([role, boot, key.x, attestation?.measurement, attestation?.client, simulation])
  if (identity(stored) !== identity(asked))
    throw new CodedError(
      'boot.mismatch',
      `${asked.boot} is registered with another key, client or measurement`,
    )
}
