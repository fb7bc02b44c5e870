/** Vectors of every rule of the reference values: met, exactly met, and broken by an authentic report. */
import type { Reference } from '#core/appraisal/reference.ts'
import type { ErrorCode } from '#core/errors.ts'
import { FIELDS, GUEST_POLICY_BITS, PLATFORM_INFO_BITS } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type Tcb } from '#core/snp/tcb.ts'
import { accepted, type Choice, fill, put, refused } from './cases.ts'
import { REFERENCE, referenceOf } from './policyReference.ts'
import type { Case } from './vector.ts'
import { CSP, hardwareIdOf, leafOf, MEASUREMENT, NOW, platformOf, tcbOf } from './world.ts'

export function ruleVectors(): readonly Case[] {
  return [
    accepted('as the reference demands', held()),
    ...releaseVectors(),
    ...keyVectors(),
    ...processorVectors(),
    ...tcbVectors(),
    ...firmwareVectors(),
    ...mitigationVectors(),
    ...guestVectors(),
    ...bitVectors(),
    ...identityVectors(),
    refused('everything at once', EVERYTHING, everything()),
  ]
}

const held = (change: Partial<Reference> = {}, choice: Choice = {}): Choice => ({
  reference: referenceOf(change),
  ...choice,
})
const other = (digest: string) => digest.replaceAll('a5', '5a')

function releaseVectors(): readonly Case[] {
  const unknown = other(MEASUREMENT)
  return [
    accepted('its measurement among others', held({ measurements: [unknown, MEASUREMENT] })),
    refused('another measurement', 'measurement.unknown', held({ measurements: [unknown, '00'.repeat(48)] })),
    refused('a measurement that differs in its last byte', 'measurement.unknown', {
      ...held(),
      change: put('measurement', 47, 0xa4),
    }),
    accepted('any measurement', held({ measurements: 'any' }, { change: fill('measurement', 1) })),
    refused(
      'a reference that begins one second later',
      'reference.expired',
      held({ notBefore: NOW + 1, notAfter: NOW + 1 }),
    ),
    refused(
      'a reference that ended one second before',
      'reference.expired',
      held({ notBefore: NOW - 1, notAfter: NOW - 1 }),
    ),
    refused(
      'a worker behind the report, of which nothing is known',
      'trust.unknown',
      held({ trust: ['A'.repeat(43)] }),
    ),
    accepted('as a reference of the other assurance demands', held({ assurance: 'platform' })),
  ]
}

function keyVectors(): readonly Case[] {
  const vlek: Choice = { kind: 'vlek' }
  return [
    refused('a VLEK where none is accepted', 'signing-key.excluded', held({}, vlek)),
    refused(
      'a VLEK of another provider',
      'signing-key.excluded',
      held({ cspIds: ['CN=other.csp.example', `${CSP}.`] }, vlek),
    ),
    accepted('a VLEK of a listed provider', held({ cspIds: ['CN=other.csp.example', CSP] }, vlek)),
    accepted('a VCEK where a provider is listed', held({ cspIds: [CSP] })),
  ]
}

const row = (change: Partial<Reference['processors'][number]>): Partial<Reference> => ({
  processors: REFERENCE.processors.map((processor) => ({ ...processor, ...change })),
})

function processorVectors(): readonly Case[] {
  const turin: Choice = { product: 'Turin' }
  const ofTurin = { product: 'Turin', family: 0x1a, model: 2, stepping: 1, floor: tcbOf('Turin') } as const
  const milan = platformOf('Milan').cpuid
  return [
    refused('another stepping', 'product.excluded', held(row({ stepping: 2 }))),
    refused('another model', 'product.excluded', held(row({ model: 0x10 }))),
    refused('another family', 'product.excluded', held(row({ family: 0x1a }))),
    refused('another product', 'product.excluded', held(row({ product: 'Turin' }))),
    refused(
      'version 2, which states no stepping',
      'product.excluded',
      held({}, { platform: { version: 2 } }),
    ),
    accepted('Turin beside Genoa', held({ processors: [...REFERENCE.processors, ofTurin] }, turin)),
    refused('Turin where Genoa alone is approved', 'product.excluded', held({}, turin)),
    refused('Milan where it is not listed', 'product.excluded', held({}, { product: 'Milan' })),
    accepted(
      'Milan where it is listed',
      held({ processors: [{ product: 'Milan', ...milan, floor: tcbOf('Milan') }] }, { product: 'Milan' }),
    ),
    refused('the second of two rows is the one that counts', 'tcb.below-floor', {
      ...held({
        processors: [
          { ...REFERENCE.processors[0], stepping: 2 },
          ...(row({ floor: { ...tcbOf('Genoa'), snp: 28 } }).processors ?? []),
        ] as Reference['processors'],
      }),
      ...lagging('Genoa', 'launch', { snp: 28 }),
    }),
  ]
}

/** All four TCBs at these levels, with the key of the reported TCB. */
function levels(
  product: Product,
  all: Partial<Tcb>,
  one: Partial<Record<'committedTcb' | 'currentTcb' | 'launchTcb', Tcb>> = {},
): Choice {
  const tcb = { ...tcbOf(product), ...all }
  return { product, platform: { tcb, ...one }, certs: [leafOf(product, 'vcek', { tcb })] }
}

/** Three of the four TCBs are higher than usual, one is as usual. Their order and commitment remain valid. */
function lagging(product: Product, name: 'reported' | 'launch', by: Partial<Tcb>): Choice {
  const [usual, high] = [tcbOf(product), { ...tcbOf(product), ...by }]
  if (name === 'launch') return levels(product, by, { launchTcb: usual })
  return levels(product, {}, { committedTcb: high, currentTcb: high, launchTcb: high })
}

function tcbVectors(): readonly Case[] {
  return (['Genoa', 'Turin'] as const).flatMap((product) => {
    const usual = tcbOf(product)
    const { family, model, stepping } = platformOf(product).cpuid
    const processors = (floor: Tcb) => ({ processors: [{ product, family, model, stepping, floor }] })
    // One component of Turin shows that its row counts; all components of Genoa show that each one counts.
    const used = TCB_COMPONENTS.filter((component) => TCB_LAYOUTS[product].bytes.includes(component))
    return (product === 'Turin' ? ['fmc' as const] : used).flatMap((component) => {
      const more = { [component]: usual[component] + 1 }
      const higher = { ...usual, ...more }
      const floor = held(processors(higher))
      const below = 'tcb.below-floor' as const
      const provisional = { ...held({ ...processors(usual), firmwareProfile: 'provisional' }) }
      return [
        accepted(`${product}: ${component} at its floor in all four`, { ...floor, ...levels(product, more) }),
        refused(`${product}: ${component} below its floor in the reported TCB`, below, {
          ...floor,
          ...lagging(product, 'reported', more),
        }),
        refused(`${product}: ${component} below its floor at launch`, below, {
          ...floor,
          ...lagging(product, 'launch', more),
        }),
        refused(`${product}: ${component} below its floor in reported and committed TCB`, [below, below], {
          ...held({ ...processors(higher), firmwareProfile: 'provisional' }),
          ...levels(product, {}, { committedTcb: usual, currentTcb: higher, launchTcb: higher }),
        }),
        refused(`${product}: ${component} below its floor in all four`, [below, below, below, below], {
          ...floor,
          ...levels(product, {}),
        }),
        refused(`${product}: ${component} of the reported TCB above the committed`, ['tcb.inconsistent'], {
          ...held(processors(usual)),
          ...levels(product, more, { committedTcb: usual, currentTcb: usual, launchTcb: usual }),
        }),
        refused(`${product}: ${component} of the committed TCB above the current`, ['tcb.inconsistent'], {
          ...held(processors(usual)),
          ...levels(product, {}, { committedTcb: higher, currentTcb: usual, launchTcb: usual }),
        }),
        refused(`${product}: ${component} of the committed TCB behind the current`, ['tcb.provisional'], {
          ...held(processors(usual)),
          ...levels(product, {}, { committedTcb: usual, currentTcb: higher, launchTcb: usual }),
        }),
        accepted(
          `${product}: ${component} of the committed TCB behind the current, under the provisional profile`,
          {
            ...provisional,
            ...levels(product, {}, { committedTcb: usual, currentTcb: higher, launchTcb: usual }),
          },
        ),
        accepted(`${product}: ${component} at launch above the current`, {
          ...held(processors(usual)),
          ...levels(product, {}, { launchTcb: higher }),
        }),
      ]
    })
  })
}

function firmwareVectors(): readonly Case[] {
  const at = (major: number, minor: number, build: number) => ({ major, minor, build })
  const below = 'firmware.below-floor'
  const firmware = (current: ReturnType<typeof at>, committed = current): Choice => ({
    platform: { firmware: current, committedFirmware: committed },
  })
  return [
    ...[at(1, 55, 48), at(1, 54, 200), at(0, 200, 200)].map((version) =>
      refused(`firmware ${Object.values(version).join('.')}`, [below, below], held({}, firmware(version))),
    ),
    ...[at(1, 55, 50), at(1, 56, 0), at(2, 0, 0)].map((version) =>
      accepted(`firmware ${Object.values(version).join('.')}`, held({}, firmware(version))),
    ),
    ...[at(1, 55, 50), at(1, 56, 48), at(2, 0, 0)].flatMap((next) => {
      const name = Object.values(next).join('.')
      return [
        refused(
          `committed firmware behind the current ${name}`,
          'tcb.provisional',
          held({}, firmware(next, at(1, 55, 49))),
        ),
        accepted(
          `committed firmware behind the current ${name}, under the provisional profile`,
          held({ firmwareProfile: 'provisional' }, firmware(next, at(1, 55, 49))),
        ),
        refused(
          `committed firmware ${name} above the current`,
          'tcb.inconsistent',
          held({}, firmware(at(1, 55, 49), next)),
        ),
      ]
    }),
    refused(
      'committed firmware below the floor, under the provisional profile',
      below,
      held({ firmwareProfile: 'provisional' }, firmware(at(1, 55, 49), at(1, 55, 48))),
    ),
    refused(
      'current firmware below the floor, and committed above it',
      ['tcb.inconsistent', below],
      held({}, firmware(at(1, 55, 48), at(1, 55, 49))),
    ),
  ]
}

function mitigationVectors(): readonly Case[] {
  const given = (launch: string, current: string, version: 3 | 5 = 5): Choice => ({
    platform: { version, mitigations: { launch, current } },
  })
  const demanded = (launch: string, current: string) => ({ mitigations: { launch, current } })
  const vector = (hex: string) => hex.padStart(16, '0')
  const [none, three, top] = [vector(''), vector('7'), '8000000000000000']
  const missing = 'mitigations.missing'
  return [
    accepted('the mitigations that are demanded', held(demanded(three, three), given(three, three))),
    accepted(
      'more mitigations than are demanded',
      held(demanded(three, three), given(vector('f7'), vector('f7'))),
    ),
    refused(
      'a mitigation missing at launch',
      missing,
      held(demanded(three, none), given(vector('5'), three)),
    ),
    refused('a mitigation missing now', missing, held(demanded(none, three), given(three, vector('3')))),
    refused(
      'a higher mitigation in the place of the lower ones',
      [missing, missing],
      held(demanded(three, three), given(vector('8'), vector('8'))),
    ),
    accepted('the highest mitigation', held(demanded(top, top), given(top, top))),
    refused(
      'all mitigations but the highest',
      [missing, missing],
      held(demanded(top, top), given('7fffffffffffffff', '7fffffffffffffff')),
    ),
    accepted('no mitigation, where none is demanded', held(demanded(none, none), given(none, none))),
    refused(
      'a report before version 5 where the lowest mitigation is demanded',
      missing,
      held(demanded(vector('1'), none), given(three, three, 3)),
    ),
    refused(
      'a report before version 5 where mitigations are demanded',
      [missing, missing],
      held(demanded(three, three), given(three, three, 3)),
    ),
  ]
}

function guestVectors(): readonly Case[] {
  const abi = (major: number, minor: number) => ({
    guestPolicy: { ...REFERENCE.guestPolicy, abi: { major, minor } },
  })
  const said = (major: number, minor: number): Choice => ({
    change: (bytes) => {
      bytes.writeUInt8(minor, FIELDS.policy.at)
      bytes.writeUInt8(major, FIELDS.policy.at + 1)
    },
  })
  const svn = (value: number): Choice => ({ platform: { guestSvn: value } })
  const anyAgent = { guestPolicy: { ...REFERENCE.guestPolicy, migrateMa: 'any' as const } }
  return [
    accepted('an ABI that is just the one demanded', held(abi(1, 31), said(1, 31))),
    accepted('an ABI with a higher minor', held(abi(1, 31), said(1, 32))),
    accepted('an ABI with a higher major and a lower minor', held(abi(1, 31), said(2, 0))),
    refused('an ABI with a lower minor', 'guest-policy.violated', held(abi(1, 31), said(1, 30))),
    refused(
      'an ABI with a lower major and a higher minor',
      'guest-policy.violated',
      held(abi(1, 31), said(0, 255)),
    ),
    refused(
      'a migration agent that is bound',
      'guest-policy.migration',
      held({}, { change: put('reportIdMa', 0, 0xfe) }),
    ),
    refused(
      'a migration agent that is bound, seen in the last byte',
      'guest-policy.migration',
      held({}, { change: put('reportIdMa', 31, 0) }),
    ),
    accepted('a migration agent where any is allowed', held(anyAgent, { change: fill('reportIdMa', 1) })),
    accepted('a guest SVN at its floor', held({ guestSvn: 7 }, svn(7))),
    refused('a guest SVN below its floor', 'guest-svn.below-floor', held({ guestSvn: 7 }, svn(6))),
    accepted('the highest guest SVN', held({ guestSvn: 0xffff_ffff }, svn(0xffff_ffff))),
    ...[1, 2, 3].map((vmpl) => refused(`VMPL ${vmpl} for 0`, 'vmpl.violated', held({}, { vmpl }))),
    refused('VMPL 0 for 1', 'vmpl.violated', held({ vmpl: 1 })),
    accepted('VMPL 3 for 3', held({ vmpl: 3 }, { vmpl: 3 })),
  ]
}

const GUEST_CODES: Readonly<Record<string, ErrorCode>> = {
  debug: 'guest-policy.debug',
  migrateMa: 'guest-policy.migration',
}

/** Each bit inverted against the reference values, and with both values if they allow any. */
function bitVectors(): readonly Case[] {
  const flip = (field: 'policy' | 'platformInfo', bit: number) => (bytes: Buffer) => {
    const { at } = FIELDS[field]
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) ^ (1n << BigInt(bit)), at)
  }
  const groups = [
    { field: 'policy', name: 'guestPolicy', bits: GUEST_POLICY_BITS },
    { field: 'platformInfo', name: 'platformInfo', bits: PLATFORM_INFO_BITS },
  ] as const
  return [
    ...groups.flatMap(({ field, name, bits }) =>
      Object.entries(bits).flatMap(([bit, index]) => {
        const rules: Readonly<Record<string, unknown>> = REFERENCE[name]
        const said = rules[bit] === 'required' ? 'forbidden' : 'required'
        const code =
          name === 'guestPolicy' ? (GUEST_CODES[bit] ?? 'guest-policy.violated') : 'platform-info.violated'
        const change = flip(field, index)
        // Indexed by the name of a bit; the schema of a case checks the form.
        const turned = { [name]: { ...REFERENCE[name], [bit]: said } } as Partial<Reference>
        const free = { [name]: { ...REFERENCE[name], [bit]: 'any' } } as Partial<Reference>
        return [
          refused(`${name}.${bit} ${String(rules[bit])}, and the other`, code, held({}, { change })),
          refused(`${name}.${bit} ${said}, and the other`, code, held(turned)),
          accepted(`${name}.${bit} ${said}, and it is`, held(turned, { change })),
          accepted(`${name}.${bit} either way`, held(free, { change })),
        ]
      }),
    ),
    ...[8, 31, 32, 63].map((bit) =>
      refused(
        `PLATFORM_INFO bit ${bit}, which means nothing yet`,
        'platform-info.violated',
        held({}, { change: flip('platformInfo', bit) }),
      ),
    ),
  ]
}

function identityVectors(): readonly Case[] {
  const id = (bytes: number, byte: string) => byte.repeat(bytes)
  const chip = hardwareIdOf('Genoa').toString('hex')
  const ids = [
    ['family id', 'familyIds', 'familyId', 16, 'family-id.unknown'],
    ['image id', 'imageIds', 'imageId', 16, 'image-id.unknown'],
    ['host data', 'hostData', 'hostData', 32, 'host-data.unknown'],
  ] as const
  const turin = platformOf('Turin')
  const ofTurin = { processors: [{ product: 'Turin', ...turin.cpuid, floor: tcbOf('Turin') } as const] }
  const author = (enabled: boolean, digest: string): Choice => ({
    platform: { authorKeyEnabled: enabled, authorKeyDigest: digest },
  })
  const [key, otherKey] = [id(48, 'c3'), id(48, '3c')]
  return [
    ...ids.flatMap(([name, list, field, size, code]) => [
      accepted(
        `a listed ${name}`,
        held({ [list]: [id(size, '00'), id(size, 'c3')] }, { platform: { [field]: id(size, 'c3') } }),
      ),
      refused(`a ${name} that is not listed`, code, held({}, { platform: { [field]: id(size, 'c3') } })),
      refused(`no ${name} where one is listed`, code, held({ [list]: [id(size, 'c3')] })),
      refused(`a ${name} that differs in its last byte`, code, held({}, { change: put(field, size - 1, 1) })),
      accepted(`any ${name}`, held({ [list]: 'any' }, { platform: { [field]: id(size, 'c3') } })),
    ]),
    accepted('a listed ID key', held({ idKeyDigests: [otherKey, key] }, { platform: { idKeyDigest: key } })),
    refused(
      'an ID key that is not listed',
      'id-key.unknown',
      held({ idKeyDigests: [otherKey] }, { platform: { idKeyDigest: key } }),
    ),
    refused('no ID block where an ID key is listed', 'id-key.unknown', held({ idKeyDigests: [key] })),
    accepted('a listed author key', held({ authorKeyDigests: [otherKey, key] }, author(true, key))),
    refused(
      'an author key that is not listed',
      'author-key.unknown',
      held({ authorKeyDigests: [otherKey] }, author(true, key)),
    ),
    refused(
      'a listed author key, but AUTHOR_KEY_EN is clear',
      'author-key.unknown',
      held({ authorKeyDigests: [key] }, author(false, key)),
    ),
    refused(
      'AUTHOR_KEY_EN without a digest',
      'author-key.unknown',
      held({ authorKeyDigests: [key] }, author(true, id(48, '00'))),
    ),
    accepted('any author key', held({}, author(true, key))),
    accepted('a listed chip', held({ chips: [id(64, 'c3'), chip] })),
    refused(
      'a chip that is not listed',
      'chip.unknown',
      held({ chips: [id(64, 'c3'), `${chip.slice(0, -2)}${chip.endsWith('00') ? '01' : '00'}`] }),
    ),
    accepted(
      'a listed chip of Turin, with zeros after it',
      held({ ...ofTurin, chips: [turin.hardwareId.padEnd(128, '0')] }, { product: 'Turin' }),
    ),
    refused(
      'a VLEK, which names no chip, where chips are listed',
      'chip.unknown',
      held({ cspIds: [CSP], chips: [chip] }, { kind: 'vlek' }),
    ),
  ]
}

/** Several violations at once, in the order of the rules: none hides another. */
const EVERYTHING: readonly ErrorCode[] = [
  'measurement.unknown',
  'reference.expired',
  'trust.unknown',
  'signing-key.excluded',
  'crl.missing',
  'product.excluded',
  'tcb.inconsistent',
  'tcb.provisional',
  'firmware.below-floor',
  'firmware.below-floor',
  'mitigations.missing',
  'mitigations.missing',
  'guest-policy.debug',
  'guest-policy.violated',
  'guest-policy.migration',
  'guest-svn.below-floor',
  'vmpl.violated',
  'platform-info.violated',
  'platform-info.violated',
  'id-key.unknown',
  'author-key.unknown',
  'family-id.unknown',
  'image-id.unknown',
  'host-data.unknown',
  'chip.unknown',
]

function everything(): Choice {
  const usual = tcbOf('Genoa')
  const bytes = (size: number) => ['c3'.repeat(size)]
  const seven = '0000000000000007'
  return {
    kind: 'vlek',
    vmpl: 1,
    platform: {
      committedTcb: { ...usual, snp: usual.snp - 1 },
      currentTcb: usual,
      guestPolicy: { debug: true },
      reportIdMa: '00'.repeat(32),
      platformInfo: { ecc: false },
    },
    change: put('platformInfo', 1, 1),
    reference: referenceOf({
      notBefore: NOW + 1,
      notAfter: NOW + 1,
      measurements: bytes(48),
      trust: ['A'.repeat(43)],
      crl: { graceSeconds: 0 },
      processors: row({ stepping: 2 }).processors ?? [],
      firmware: { major: 1, minor: 55, build: 50 },
      mitigations: { launch: seven, current: seven },
      guestPolicy: { ...REFERENCE.guestPolicy, abi: { major: 1, minor: 0 } },
      guestSvn: 1,
      idKeyDigests: bytes(48),
      authorKeyDigests: bytes(48),
      familyIds: bytes(16),
      imageIds: bytes(16),
      hostData: bytes(32),
      chips: bytes(64),
    }),
  }
}
