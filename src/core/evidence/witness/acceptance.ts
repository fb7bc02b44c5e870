/**
 * What a Verifier's witness must prove: to the worker before it makes a result visible, and to anyone who
 * opens or audits the result afterwards.
 */
import { logOrigin } from '../../boot/boot.ts'
import type { Registration } from '../../boot/registration.ts'
import { CodedError, under } from '../../errors.ts'
import { boot as bootField } from '../../fields.ts'
import { thumbprint } from '../../jwk.ts'
import { verifyCompact } from '../../jws.ts'
import type { GrantCa } from '../../policy/verifierKeys.ts'
import { knownCode } from '../../release/about.ts'
import { GrantKeyFormat } from '../../release/grant.ts'
import type { Denial } from '../../release/refusal.ts'
import { openCheckpoint } from '../checkpoint.ts'
import { noteKey, splitNote } from '../note.ts'
import { cosignedAt, cosignerKey } from './cosignature.ts'
import { type IntentPlace, type Permit, PermitFormat, PermitRefusalFormat } from './permit.ts'

const VERIFIER = logOrigin('verifier', '')

/** The Verifier whose name a cosignature has, unverified: only for finding its registration. */
export function claimedCosigner(note: string): string | undefined {
  for (const { name } of splitNote(note).signatures) {
    const { success, data } = bootField.safeParse(name.slice(VERIFIER.length))
    if (success && name.startsWith(VERIFIER)) return data
  }
  return undefined
}

/**
 * The size of a checkpoint of `worker`'s log that `verifier` has cosigned. Throws `evidence.malformed` or
 * `evidence.inconsistent`.
 */
export function cosignedSize(
  note: string,
  worker: Pick<Registration, 'origin' | 'key'>,
  verifier: Registration | undefined,
): number {
  if (verifier?.role !== 'verifier')
    throw new CodedError('evidence.inconsistent', 'no registered Verifier has cosigned the checkpoint')
  const { size } = openCheckpoint(note, noteKey(worker.origin, worker.key))
  cosignedAt(note, cosignerKey(verifier.origin, verifier.key))
  return size
}

/** What a grant key says of one intent, with the certificate that a grant CA gave the key. */
export type SignedPermit = { readonly permit: string; readonly permitKey: string }

/**
 * Throws `evidence.malformed`, or `evidence.inconsistent` unless a grant key signed it that one of these CAs
 * certified for that time.
 */
export function openPermit({ permit, permitKey }: SignedPermit, grantCas: readonly GrantCa[]): Permit {
  const code = 'evidence.inconsistent'
  const { grantKey, ca } = grantKeyOf(permitKey, grantCas, code)
  const { payload } = verifyCompact(PermitFormat, permit, [grantKey.jwk], code)
  if (!(grantKey.nbf <= payload.iat && payload.iat < Math.min(grantKey.exp, ca.exp)))
    throw new CodedError('evidence.inconsistent', 'the grant key was not in force when it signed the permit')
  return payload
}

/** The refusal of this intent's permit. Throws `verifier.untrusted`. */
export function openPermitRefusal(
  refusal: string,
  permitKey: string,
  place: IntentPlace,
  grantCas: readonly GrantCa[],
): Denial {
  const { grantKey } = grantKeyOf(permitKey, grantCas, 'verifier.untrusted')
  const { payload } = verifyCompact(PermitRefusalFormat, refusal, [grantKey.jwk], 'verifier.untrusted')
  const { boot, intentIndex, size, code, denialId } = payload
  if (boot !== place.boot || intentIndex !== place.intentIndex || size !== place.size)
    throw new CodedError('verifier.untrusted', 'the refusal of a permit is about another intent')
  return { code: knownCode(code), denialId }
}

function grantKeyOf(
  certificate: string,
  grantCas: readonly GrantCa[],
  code: 'evidence.inconsistent' | 'verifier.untrusted',
) {
  const keys = grantCas.map(({ jwk }) => jwk)
  const { payload, kid } = under(code, () => verifyCompact(GrantKeyFormat, certificate, keys, code))
  const ca = grantCas.find(({ jwk }) => thumbprint(jwk) === kid)
  if (ca === undefined) throw new CodedError(code, 'no grant CA certified the grant key')
  return { grantKey: payload, ca }
}
