/** What can change between two sets of reference values, in the direction that admits more machines. */
import type { BitRule, Reference } from '#core/appraisal/reference.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { Aspect, Wider } from './aspects.ts'
import { timeText } from './words.ts'

type Named = { readonly label: string; readonly value: number | readonly string[]; readonly wider: Wider }

const DAY = 86_400

const WHOLE: readonly Aspect<PolicyReference>[] = [
  { label: 'level', fields: ['assurance'], of: (it) => it.assurance, wider: 'unclear' },
  { label: 'begins', fields: ['notBefore'], of: (it) => it.notBefore, wider: 'less', show: timeText },
  { label: 'ends', fields: ['notAfter'], of: (it) => it.notAfter, wider: 'more', show: timeText },
  { label: 'launches', fields: ['measurements'], of: (it) => it.measurements, wider: 'more' },
  {
    label: "days that AMD's revocation list may be overdue",
    fields: ['crl'],
    of: ({ crl }) => (crl === 'not-required' ? Number.POSITIVE_INFINITY : crl.graceSeconds),
    wider: 'more',
    show: (seconds) =>
      seconds === Number.POSITIVE_INFINITY ? 'any, none is required' : String(seconds / DAY),
  },
  { label: 'cloud keys (VLEK) of', fields: ['cspIds'], of: (it) => it.cspIds, wider: 'more' },
  {
    label: 'processors',
    fields: ['processors'],
    of: (it) => it.processors.map(processorName),
    wider: 'more',
  },
  {
    label: 'least firmware',
    fields: ['firmware'],
    of: ({ firmware: { major, minor, build } }) => (major * 256 + minor) * 256 + build,
    wider: 'less',
    show: (value) => [value >> 16, (value >> 8) & 255, value & 255].join('.'),
  },
  {
    label: 'firmware that is',
    fields: ['firmwareProfile'],
    of: (it) => (it.firmwareProfile === 'provisional' ? ['not committed'] : []),
    wider: 'more',
  },
  {
    label: 'required mitigations',
    fields: ['mitigations'],
    of: ({ mitigations }) => [
      ...bitsOf('launch', mitigations.launch),
      ...bitsOf('current', mitigations.current),
    ],
    wider: 'less',
  },
  { label: 'VMPL', fields: ['vmpl'], of: ({ vmpl }) => String(vmpl), wider: 'unclear' },
  { label: 'least guest version', fields: ['guestSvn'], of: (it) => it.guestSvn, wider: 'less' },
  { label: 'families', fields: ['familyIds'], of: (it) => it.familyIds, wider: 'more' },
  { label: 'images', fields: ['imageIds'], of: (it) => it.imageIds, wider: 'more' },
  { label: 'ID keys', fields: ['idKeyDigests'], of: (it) => it.idKeyDigests, wider: 'more' },
  { label: 'author keys', fields: ['authorKeyDigests'], of: (it) => it.authorKeyDigests, wider: 'more' },
  { label: 'host data', fields: ['hostData'], of: (it) => it.hostData, wider: 'more' },
  { label: 'worker configurations', fields: ['trust'], of: (it) => it.trust, wider: 'more' },
  { label: 'chips', fields: ['chips'], of: (it) => it.chips, wider: 'more' },
]

/** For two sets: a row per bit, and one per part of the floor of each processor that both have. */
export function referenceAspects(
  before: PolicyReference,
  after: PolicyReference,
): readonly Aspect<PolicyReference>[] {
  const known = new Map(partsOf(after).map((part) => [part.label, part]))
  const both = partsOf(before).filter(({ label }) => known.has(label))
  const parts = both.map(
    ({ label, wider }): Aspect<PolicyReference> => ({
      label,
      fields: ['processors', 'guestPolicy', 'platformInfo'],
      of: (it) => partsOf(it).find((part) => part.label === label)?.value ?? [],
      wider,
    }),
  )
  return [...WHOLE, ...parts]
}

function partsOf({ processors, guestPolicy, platformInfo }: PolicyReference): readonly Named[] {
  const { abi, ...guestBits } = guestPolicy
  return [
    ...processors.flatMap((processor) =>
      Object.entries(processor.floor).map(([part, value]) => ({
        label: `${processorName(processor)}, least ${part}`,
        value,
        wider: 'less' as const,
      })),
    ),
    { label: 'least guest ABI', value: abi.major * 256 + abi.minor, wider: 'less' },
    ...bitRules('guest policy', guestBits),
    ...bitRules('platform', platformInfo),
  ]
}

/** As the values that the bit may have: a rule that is given up adds one. */
const ALLOWED: Readonly<Record<BitRule, readonly string[]>> = {
  required: ['set'],
  forbidden: ['clear'],
  any: ['clear', 'set'],
}

function bitRules(group: string, bits: Readonly<Record<string, BitRule>>): readonly Named[] {
  return Object.entries(bits).map(([bit, rule]) => ({
    label: `${group} ${bit} may be`,
    value: ALLOWED[rule],
    wider: 'more' as const,
  }))
}

function processorName({ product, family, model, stepping }: Reference['processors'][number]): string {
  return `${product} ${family}/${model}/${stepping}`
}

/** The numbers of the bits that are set, the least significant 0. */
function bitsOf(vector: string, hex: string): readonly string[] {
  const bits = BigInt(`0x${hex}`)
  return Array.from({ length: hex.length * 4 }, (_, bit) => bit)
    .filter((bit) => ((bits >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => `${vector} bit ${bit}`)
}
