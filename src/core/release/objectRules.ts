/** The rules about one object: its signature, name, key and withdrawal. */
import { toBase64url } from '../bytes.ts'
import { codeOf, type Refusal } from '../errors.ts'
import { type SignedFormat, verifyCompact } from '../jws.ts'
import type { Dataset } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { SealHeaderFormat } from '../sealed/header.ts'
import { toRfc3339, toUnixSeconds } from '../time.ts'
import type { GrantedObject } from './decide.ts'
import { digestOfText } from './unsaid.ts'

type Rule = (
  object: GrantedObject,
  dataset: Dataset,
  revocation: Pick<Revocation, 'objects'>,
) => Refusal | false

export function objectReasons(...[object, dataset, revocation]: Parameters<Rule>): Refusal[] {
  return RULES.map((rule) => rule(object, dataset, revocation)).filter((reason) => reason !== false)
}

const RULES: readonly Rule[] = [
  ({ reference, headerDigest }, dataset) =>
    !isSealedBy(SealHeaderFormat, reference.header, dataset) && {
      code: 'object.unsigned',
      field: `object ${toBase64url(headerDigest)}.signature`,
      expected: `a sealing key of ${dataset.id}`,
      actual: 'another key, or a signature that does not verify',
      remedy: 'list the sealing key in the policy, if it is one',
    },
  ({ reference, header, headerDigest }) =>
    reference.name !== header.object && {
      code: 'object.misplaced',
      field: `object ${toBase64url(headerDigest)}.name`,
      expected: digestOfText(header.object),
      actual: digestOfText(reference.name),
      remedy: 'store the object under the name that it was sealed for',
    },
  ({ header, headerDigest }, dataset) =>
    !dataset.keyIds.includes(header.custody.keyId) && {
      code: 'object.unsigned',
      field: `object ${toBase64url(headerDigest)}.custody.keyId`,
      expected: `a key of ${dataset.id}`,
      actual: digestOfText(header.custody.keyId),
      remedy: 'seal the object again under a key of its dataset',
    },
  ({ header, headerDigest }, dataset) =>
    header.sealedAt < dataset.notSealedBefore && {
      code: 'object.withdrawn',
      field: `object ${toBase64url(headerDigest)}.sealedAt`,
      expected: `at or after ${toRfc3339(toUnixSeconds(dataset.notSealedBefore))}`,
      actual: toRfc3339(toUnixSeconds(header.sealedAt)),
      remedy: 'seal the object again',
    },
  ({ header, headerDigest }, _dataset, revocation) =>
    revocation.objects.includes(header.sealId) && {
      code: 'object.withdrawn',
      field: `object ${toBase64url(headerDigest)}.sealId`,
      expected: 'not withdrawn',
      actual: 'withdrawn by the revocation list',
      remedy: 'none: the provider has withdrawn it',
    },
]

/** Whether a sealing key of the dataset signed the document, which was read before. */
export function isSealedBy<T>(format: SignedFormat<T>, jws: string, dataset: Dataset): boolean {
  try {
    verifyCompact(format, jws, dataset.sealingKeys, 'object.unsigned')
    return true
  } catch (error) {
    if (codeOf(error) === 'object.unsigned') return false
    throw error
  }
}
