/**
 * The rules about a set. Only its record makes several objects one job, and then exactly its members are: the
 * question is asked about all of them, or not at all.
 */
import { toBase64url } from '../bytes.ts'
import type { Refusal } from '../errors.ts'
import type { Dataset } from '../policy/policy.ts'
import type { SetRecord } from '../sealed/setRecord.ts'
import { SetRecordFormat } from '../sealed/setRecord.ts'
import { toRfc3339, toUnixSeconds } from '../time.ts'
import type { GrantedObject } from './decide.ts'
import { isSealedBy } from './objectRules.ts'
import { digestOfText } from './unsaid.ts'

/** A set record as it was sent: compact JWS and content. */
export type ReadSet = { readonly jws: string; readonly record: SetRecord }

/** `set` is null for a job without a set record. */
export function setReasons(
  set: ReadSet | null,
  objects: readonly GrantedObject[],
  dataset: Dataset,
): Refusal[] {
  if (set === null) return withoutRecord(objects)
  return RULES.map((rule) => rule(set, objects, dataset)).filter((reason) => reason !== false)
}

function withoutRecord(objects: readonly GrantedObject[]): Refusal[] {
  const members = objects.filter(({ header }) => header.set !== null).length
  return objects.length === 1 && members === 0
    ? []
    : [
        {
          code: 'set.incomplete',
          field: 'jobs.set',
          expected: 'one object that is no member of a set, or a set record',
          actual: `no set record, and ${objects.length} objects, ${members} of them members`,
          remedy: REMEDY,
        },
      ]
}

const REMEDY = 'ask for the set by its record; no member of it is released without the others'

const RULES: readonly ((
  set: ReadSet,
  objects: readonly GrantedObject[],
  dataset: Dataset,
) => Refusal | false)[] = [
  ({ jws }, _objects, dataset) =>
    !isSealedBy(SetRecordFormat, jws, dataset) && {
      code: 'object.unsigned',
      field: `set ${digestOfText(jws)}.signature`,
      expected: `a sealing key of ${dataset.id}`,
      actual: 'another key, or a signature that does not verify',
      remedy: 'list the sealing key in the policy, if it is one',
    },
  ({ jws, record }, _objects, dataset) =>
    record.sealedAt < dataset.notSealedBefore && {
      code: 'object.withdrawn',
      field: `set ${digestOfText(jws)}.sealedAt`,
      expected: `at or after ${toRfc3339(toUnixSeconds(dataset.notSealedBefore))}`,
      actual: toRfc3339(toUnixSeconds(record.sealedAt)),
      remedy: 'seal the set again',
    },
  ({ jws, record }, objects) =>
    record.members.length !== objects.length && {
      code: 'set.incomplete',
      field: `set ${digestOfText(jws)}.members`,
      expected: `${record.members.length} objects, the members of the record`,
      actual: `${objects.length} objects`,
      remedy: REMEDY,
    },
  ({ jws, record }, objects) => {
    const at = objects.findIndex((object, index) => !isMember(object, index, record))
    const other = objects[at]
    return (
      other !== undefined && {
        code: 'set.incomplete',
        field: `set ${digestOfText(jws)}.members.${at}`,
        expected: 'the member that the record names there, of the same tenant and dataset',
        actual: `the object ${toBase64url(other.headerDigest)}`,
        remedy: REMEDY,
      }
    )
  },
]

function isMember({ header, headerDigest }: GrantedObject, index: number, record: SetRecord): boolean {
  const member = record.members[index]
  return (
    header.set === record.set &&
    header.tenant === record.tenant &&
    header.dataset === record.dataset &&
    member?.sealId === header.sealId &&
    member.size === header.size &&
    member.headerDigest === toBase64url(headerDigest)
  )
}
