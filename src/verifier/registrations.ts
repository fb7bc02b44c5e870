/**
 * The boots that this provider knows. Each is registered once, under `registration/<boot>`, by the grant CA:
 * a worker when a request of it is first accepted, a Verifier at its start. Its identity cannot change until
 * it ends.
 */
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { type Signer, signCompact, verifyCompact } from '#core/jws.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** Enough for the boots of a day's pool. An older one is read from the bucket again. */
const MAX_KNOWN = 4096

export type Registrations = {
  /**
   * Calls `first` with the registration in force when this process meets the boot, whoever wrote it: the process
   * that did may have died before it said so. If `first` throws, the next call is the first again. Throws `boot.mismatch` if the boot is registered with another key, client or
   * measurement, or under another grant CA.
   */
  readonly register: (registration: Registration, first?: (stored: Registration) => void) => Promise<void>
}

export function createRegistrations(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  grantCa: Signer,
): Registrations {
  const known = new Map<string, Registration>()
  return {
    register: async (registration, first) => {
      const before = known.get(registration.boot)
      if (before !== undefined) {
        expectSame(before, registration)
        return
      }
      const stored = await writeOnce(store, bucket, grantCa, registration)
      expectSame(stored, registration)
      first?.(stored)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(registration.boot, stored)
    },
  }
}

/** The registration in force: the given one, or the one that was stored before. */
async function writeOnce(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  grantCa: Signer,
  registration: Registration,
): Promise<Registration> {
  const object = { ...bucket, name: registrationName(registration.boot) }
  const bytes = utf8(await signCompact(RegistrationFormat, registration, grantCa))
  // The Vault's signatures are random, so equal bytes can only come from this call.
  if ((await createOnce(store, object, bytes)) === 'ours') return registration
  const stored = await store.readAll(object, RegistrationFormat.maxBytes * 2)
  return verifyCompact(RegistrationFormat, stored.toString('latin1'), [grantCa.jwk], 'boot.mismatch').payload
}

/** During its life a boot may match other reference values. The rest of its identity stays. */
function expectSame(stored: Registration, given: Registration): void {
  const identity = ({ role, boot, key, attestation, simulation }: Registration) =>
    JSON.stringify([role, boot, key.x, attestation?.measurement, attestation?.client, simulation])
  if (identity(stored) !== identity(given))
    throw new CodedError(
      'boot.mismatch',
      `${given.boot} is registered with another key, client or measurement`,
    )
}
