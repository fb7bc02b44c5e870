import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { FieldName } from '#core/snp/layout.ts'
import { FIELDS } from '#core/snp/layout.ts'
import { accepts, amd, CSP, put, refuses, together } from './appraisalCases.ts'

const AUTHOR_KEY_EN = put('signerInfo', 1, 0, 0, 0)

type List = 'idKeyDigests' | 'authorKeyDigests' | 'familyIds' | 'imageIds' | 'hostData'
const LISTS: readonly { readonly list: List; readonly field: FieldName; readonly code: string }[] = [
  { list: 'idKeyDigests', field: 'idKeyDigest', code: 'id-key.unknown' },
  { list: 'authorKeyDigests', field: 'authorKeyDigest', code: 'author-key.unknown' },
  { list: 'familyIds', field: 'familyId', code: 'family-id.unknown' },
  { list: 'imageIds', field: 'imageId', code: 'image-id.unknown' },
  { list: 'hostData', field: 'hostData', code: 'host-data.unknown' },
]
const hexOf = (field: FieldName, byte: string) => byte.repeat(FIELDS[field].size)
const demand = (list: List, ...values: readonly string[]): Partial<PolicyReference> => ({ [list]: values })

for (const { list, field, code } of LISTS) {
  const [approved, other] = [hexOf(field, 'c1'), hexOf(field, 'c2')]
  accepts([
    { name: `any ${field}`, change: together(put(field, 0xc1), AUTHOR_KEY_EN) },
    {
      name: `one of several values of ${field}`,
      change: together(put(field, 0xc1), AUTHOR_KEY_EN),
      reference: demand(list, other, approved),
    },
  ])
  refuses([
    {
      name: `another ${field}`,
      change: together(put(field, 0xc2), AUTHOR_KEY_EN),
      reference: demand(list, approved),
      code,
      field,
      expected: approved,
      actual: other,
    },
    {
      name: `a ${field} that is approved but for its last byte`,
      change: together(
        put(field, 0xc1),
        (bytes) => bytes.writeUInt8(0, FIELDS[field].at + FIELDS[field].size - 1),
        AUTHOR_KEY_EN,
      ),
      reference: demand(list, approved),
      code,
      field,
    },
    {
      name: `no ${field} if one is required`,
      change: AUTHOR_KEY_EN,
      reference: demand(list, approved),
      code,
      field,
    },
  ])
}

const zero = (field: FieldName) => hexOf(field, '00')
accepts([
  { name: 'a guest without family', reference: demand('familyIds', zero('familyId')) },
  { name: 'a guest without image id', reference: demand('imageIds', zero('imageId')) },
  { name: 'a guest without host data', reference: demand('hostData', zero('hostData')) },
  { name: 'a chip on the list', reference: { chips: ['11'.repeat(64), amd.hardwareId] } },
])

refuses([
  // The format refuses such lists; the rule does not rely on it.
  {
    name: 'an absent ID key, even if a list has it',
    reference: demand('idKeyDigests', zero('idKeyDigest')),
    code: 'id-key.unknown',
    field: 'idKeyDigest',
  },
  {
    name: 'an absent author key, even if a list has it',
    change: AUTHOR_KEY_EN,
    reference: demand('authorKeyDigests', zero('authorKeyDigest')),
    code: 'author-key.unknown',
    field: 'authorKeyDigest',
  },
  {
    name: 'a masked chip, even if a list has it',
    csp: CSP,
    reference: { cspIds: [CSP], chips: ['00'.repeat(64)] },
    code: 'chip.unknown',
    field: 'chipId',
  },
  {
    name: 'an author key digest while AUTHOR_KEY_EN is clear',
    change: put('authorKeyDigest', 0xc1),
    reference: demand('authorKeyDigests', hexOf('authorKeyDigest', 'c1')),
    code: 'author-key.unknown',
    field: 'authorKeyDigest',
    actual: 'none, AUTHOR_KEY_EN is clear',
  },
  {
    name: 'a chip that is not on the list',
    reference: { chips: ['11'.repeat(64)] },
    code: 'chip.unknown',
    field: 'chipId',
    expected: '11'.repeat(64),
    actual: amd.hardwareId,
  },
])
