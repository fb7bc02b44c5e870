/** The rules about whose guest and whose machine this is: ID block, host data, chip. */
import { isZero, toHex } from '../bytes.ts'
import type { Refusal } from '../errors/report.ts'
import { oneOf, type Rule } from './reference.ts'

type Values = readonly string[] | 'any'

/** Where the report says that no author key signed, AUTHOR_KEY_DIGEST means nothing, whatever stands in it. */
export const authorKey: Rule = ({ verified: { report } }, { authorKeyDigests }) =>
  unless(
    authorKeyDigests === 'any' ||
      (report.authorKeyEnabled && named(report.authorKeyDigest, authorKeyDigests)),
    {
      code: 'author-key.unknown',
      field: 'authorKeyDigest',
      expected: textOf(authorKeyDigests),
      actual: report.authorKeyEnabled ? toHex(report.authorKeyDigest) : 'none, AUTHOR_KEY_EN is clear',
      remedy: 'launch the guest with an ID block whose ID key an approved author key has signed',
    },
  )

export const idKey: Rule = ({ verified: { report } }, { idKeyDigests }) =>
  unless(named(report.idKeyDigest, idKeyDigests), {
    code: 'id-key.unknown',
    field: 'idKeyDigest',
    expected: textOf(idKeyDigests),
    actual: toHex(report.idKeyDigest),
    remedy: 'launch the guest with an ID block that an approved ID key has signed',
  })

export const familyId: Rule = ({ verified: { report } }, { familyIds }) =>
  unless(listed(report.familyId, familyIds), {
    code: 'family-id.unknown',
    field: 'familyId',
    expected: textOf(familyIds),
    actual: toHex(report.familyId),
    remedy: 'launch an image of an approved family, or approve this one in a new policy',
  })

export const imageId: Rule = ({ verified: { report } }, { imageIds }) =>
  unless(listed(report.imageId, imageIds), {
    code: 'image-id.unknown',
    field: 'imageId',
    expected: textOf(imageIds),
    actual: toHex(report.imageId),
    remedy: 'launch an approved image, or approve this one in a new policy',
  })

export const hostData: Rule = ({ verified: { report } }, { hostData: values }) =>
  unless(listed(report.hostData, values), {
    code: 'host-data.unknown',
    field: 'hostData',
    expected: textOf(values),
    actual: toHex(report.hostData),
    remedy: 'have the host launch the guest with approved HOST_DATA',
  })

export const chip: Rule = ({ verified: { report } }, { chips }) =>
  unless(named(report.chipId, chips), {
    code: 'chip.unknown',
    field: 'chipId',
    expected: textOf(chips),
    actual: toHex(report.chipId),
    remedy: 'run on an approved machine, or approve this chip in a new policy',
  })

function unless(holds: boolean, refusal: Refusal): readonly Refusal[] {
  return holds ? [] : [refusal]
}

function listed(value: Uint8Array, values: Values): boolean {
  return values === 'any' || values.includes(toHex(value))
}

/** A value that is all zero is none: an absent ID block, a masked chip. It matches nothing, even if a list has it. */
function named(value: Uint8Array, values: Values): boolean {
  return values === 'any' || (!isZero(value) && listed(value, values))
}

function textOf(values: Values): string {
  return values === 'any' ? values : oneOf(values)
}
