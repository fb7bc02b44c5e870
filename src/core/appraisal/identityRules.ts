/** The rules about the identity of guest and machine: ID block, host data, chip. */
import { isZero, toHex } from '../bytes.ts'
import { type AnyOr, oneOf, type Rule } from './reference.ts'
import { unless } from './violation.ts'

/** If the report says that no author key signed, AUTHOR_KEY_DIGEST means nothing, whatever its bytes are. */
export const authorKey: Rule = ({ verified: { report } }, { authorKeyDigests }) =>
  unless(
    authorKeyDigests === 'any' ||
      (report.authorKeyEnabled && named(report.authorKeyDigest, authorKeyDigests)),
    {
      code: 'author-key.unknown',
      field: 'authorKeyDigest',
      expected: oneOf(authorKeyDigests),
      actual: report.authorKeyEnabled ? toHex(report.authorKeyDigest) : 'none, AUTHOR_KEY_EN is clear',
    },
  )

export const idKey: Rule = ({ verified: { report } }, { idKeyDigests }) =>
  unless(named(report.idKeyDigest, idKeyDigests), {
    code: 'id-key.unknown',
    field: 'idKeyDigest',
    expected: oneOf(idKeyDigests),
    actual: toHex(report.idKeyDigest),
  })

export const familyId: Rule = ({ verified: { report } }, { familyIds }) =>
  unless(listed(report.familyId, familyIds), {
    code: 'family-id.unknown',
    field: 'familyId',
    expected: oneOf(familyIds),
    actual: toHex(report.familyId),
  })

export const imageId: Rule = ({ verified: { report } }, { imageIds }) =>
  unless(listed(report.imageId, imageIds), {
    code: 'image-id.unknown',
    field: 'imageId',
    expected: oneOf(imageIds),
    actual: toHex(report.imageId),
  })

export const hostData: Rule = ({ verified: { report } }, { hostData: values }) =>
  unless(listed(report.hostData, values), {
    code: 'host-data.unknown',
    field: 'hostData',
    expected: oneOf(values),
    actual: toHex(report.hostData),
  })

export const chip: Rule = ({ verified: { report } }, { chips }) =>
  unless(named(report.chipId, chips), {
    code: 'chip.unknown',
    field: 'chipId',
    expected: oneOf(chips),
    actual: toHex(report.chipId),
  })

function listed(value: Uint8Array, values: AnyOr): boolean {
  return values === 'any' || values.includes(toHex(value))
}

/** All zero means none: no ID block, a masked chip. It matches no list, even one that holds zeros. */
function named(value: Uint8Array, values: AnyOr): boolean {
  return values === 'any' || (!isZero(value) && listed(value, values))
}
