/** The permit of a result: the Verifier's statement that this announced output may become visible. */
import { z } from 'zod'
import { defineFormat } from '../../canonical.ts'
import type { ErrorCode } from '../../errors.ts'
import {
  boot,
  count,
  randomId,
  refusalCode,
  resultId,
  sequence,
  sha256Digest,
  time,
  version1,
} from '../../fields.ts'
import { defineSigned, type Signer, signCompact } from '../../jws.ts'
import { SUBJECT_NAMES, subjectOf } from '../../release/about.ts'

const Permit = z.strictObject({
  v: version1,
  resultId,
  attempt: randomId,
  contentDigest: sha256Digest,
  outputDigest: sha256Digest,
  boot,
  /** Of `result.intent`, which has the digests, in the log of `boot`. */
  intentIndex: count,
  /** Of the cosigned checkpoint over it. */
  size: sequence,
  iat: time,
})
export type Permit = z.output<typeof Permit>

/** By the grant key. */
export const PermitFormat = defineSigned(
  'cw-permit',
  defineFormat({ name: 'permit', maxBytes: 1024, code: 'evidence.malformed', schema: Permit }),
)

const PermitRefusal = z.strictObject({
  v: version1,
  boot,
  intentIndex: count,
  size: sequence,
  code: refusalCode,
  /** The Verifier's word, for people, as in the refusal of a release. */
  about: z.enum(SUBJECT_NAMES),
  denialId: randomId,
})

/** By the grant key: what is not signed decides nothing. */
export const PermitRefusalFormat = defineSigned(
  'cw-permit-refusal',
  defineFormat({
    name: 'refusal of a permit',
    maxBytes: 1024,
    code: 'verifier.untrusted',
    schema: PermitRefusal,
  }),
)

/** An intent's place. */
export type IntentPlace = Pick<Permit, 'boot' | 'intentIndex' | 'size'>

export async function signPermitRefusal(
  { code, denialId }: { readonly code: ErrorCode; readonly denialId: string },
  place: IntentPlace,
  grantKey: Signer,
): Promise<string> {
  const { boot, intentIndex, size } = place
  const refusal = { v: 1, boot, intentIndex, size, code, about: subjectOf(code), denialId } as const
  return await signCompact(PermitRefusalFormat, refusal, grantKey)
}
