/**
 * The boots that this provider knows. Each is registered once, under `registration/<boot>`, by the grant CA:
 * a worker when a request of it is first accepted, a Verifier at its start. Its identity cannot change until
 * it ends.
 */
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { type Signer, signCompact, verifyCompact } from '#core/jws.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** Enough for the boots of a day's pool. An older one is read from the bucket again. */
const MAX_KNOWN = 4096

export type Registrations = {
  /**
   * Calls `first` with the registration in force when this process meets the boot, whoever wrote it: the process
   * that did may have died before it said so. If `first` throws, the next call is the first again. Throws
   * `boot.mismatch` if the boot is registered with another key, client or measurement, or under another grant
   * CA.
   */
  readonly register: (registration: Registration, first?: (stored: Registration) => void) => Promise<void>
  /** Undefined if this grant CA has registered no such boot. */
  readonly find: (boot: string, signal?: AbortSignal) => Promise<Registration | undefined>
}

export function createRegistrations(
  store: ObjectStore,
  bucket: Omit<ObjectRef, 'name'>,
  grantCa: Signer,
): Registrations {
  // A boot that was only looked up was not yet given to anyone's `first`.
  const known = new Map<string, Registration>()
  const lookedUp = new Map<string, Registration>()
  return {
    find: async (boot, signal) => {
      const found = known.get(boot) ?? lookedUp.get(boot)
      if (found !== undefined) return found
      try {
        const object = { ...bucket, name: registrationName(boot) }
        const stored = await store.readAll(object, RegistrationFormat.maxBytes * 2, signal)
        const registration = openStored(stored, grantCa)
        if (registration.boot !== boot) return undefined
        remember(lookedUp, registration)
        return registration
      } catch (error) {
        if (codeOf(error) === 'service.missing' || codeOf(error) === 'boot.mismatch') return undefined
        throw error
      }
    },
    register: async (registration, first) => {
      const before = known.get(registration.boot)
      if (before !== undefined) {
        expectSame(before, registration)
        return
      }
      const stored = await writeOnce(store, bucket, grantCa, registration)
      expectSame(stored, registration)
      first?.(stored)
      remember(known, stored)
    },
  }
}

function remember(all: Map<string, Registration>, registration: Registration): void {
  if (all.size >= MAX_KNOWN) all.clear()
  all.set(registration.boot, registration)
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
  return openStored(stored, grantCa)
}

function openStored(stored: Buffer, grantCa: Signer): Registration {
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
