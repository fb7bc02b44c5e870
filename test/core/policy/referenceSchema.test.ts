/**
 * A reference value that is missing, misspelt or unknown must not load: an unwritten value is never checked.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAs } from '#core/appraisal/grammar.ts'
import { POLICY_REFERENCE, readReference } from '#core/appraisal/referenceGrammar.ts'
import { canonicalBytes, type Json } from '#core/canonical.ts'
import { codeOf } from '#core/errors.ts'
import { PolicyFormat } from '#core/policy/policy.ts'
import { PolicyReferenceSchema } from '#core/policy/referenceSchema.ts'
import { REFERENCE } from '../appraisal/appraisalCases.ts'
import { policyOf } from '../release/releaseWorld.ts'

type Path = readonly (string | number)[]

/** The path of every member of every object inside. */
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => {
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    return [...(Array.isArray(value) ? [] : [here]), ...pathsOf(child, here)]
  })
}

/** A copy in which `change` replaces the member at `path`; an empty object removes it. */
function changed(
  value: unknown,
  [key, ...rest]: Path,
  change: (name: string, value: unknown) => object,
): unknown {
  if (Array.isArray(value))
    return value.map((child, at) => (at === key ? changed(child, rest, change) : child))
  return Object.fromEntries(
    Object.entries(value as object).flatMap(([name, child]) => {
      if (name !== key) return [[name, child]]
      return rest.length === 0 ? Object.entries(change(name, child)) : [[name, changed(child, rest, change)]]
    }),
  )
}

const WITH_LISTS = {
  ...REFERENCE,
  trust: [Buffer.alloc(32, 1).toString('base64url')],
  crl: { graceSeconds: 3600 },
  cspIds: ['CN=cc.csp.example'],
  familyIds: ['00'.repeat(16)],
  imageIds: ['00'.repeat(16)],
  hostData: ['00'.repeat(32)],
  idKeyDigests: ['11'.repeat(48)],
  authorKeyDigests: ['11'.repeat(48)],
  chips: ['11'.repeat(64)],
}

/** The schema of a policy and the library's reader have one grammar, so they agree on every value. */
function loads(value: unknown): boolean {
  const { success } = PolicyReferenceSchema.safeParse(value)
  assert.equal(
    reads(() => readAs(POLICY_REFERENCE, value, 'it', 'encoding.invalid')),
    success,
  )
  return success
}

function reads(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    assert.equal(codeOf(error), 'encoding.invalid')
    return false
  }
}

test('a reference with every list loads', () => {
  assert.equal(loads(WITH_LISTS), true)
})

for (const path of pathsOf(WITH_LISTS)) {
  const name = path.join('.')
  test(`a reference without ${name} does not load`, () => {
    assert.equal(loads(changed(WITH_LISTS, path, () => ({}))), false)
  })
  test(`a reference with ${name} misspelt does not load`, () => {
    const misspelt = changed(WITH_LISTS, path, (key, value) => ({ [`${key}s`]: value }))
    assert.equal(loads(misspelt), false)
  })
  test(`a reference with a field beside ${name} does not load`, () => {
    const more = changed(WITH_LISTS, path, (key, value) => ({ [key]: value, [`${key}2`]: value }))
    assert.equal(loads(more), false)
  })
  test(`a reference with ${name} null does not load`, () => {
    assert.equal(loads(changed(WITH_LISTS, path, (key) => ({ [key]: null }))), false)
  })
}

const policy = policyOf()
for (const path of pathsOf(policy)) {
  // Datasets and clients carry keys, of which some members are optional in JOSE; their own tests hold them.
  if (path.some((key) => key === 'jwk' || key === 'keys' || key === 'auditKey' || key === 'sealingKeys'))
    continue
  const name = path.join('.')
  test(`a policy without ${name}, or with it misspelt, does not load`, () => {
    for (const change of [
      () => ({}),
      (key: string, value: unknown) => ({ [`${key}s`]: value }),
      (key: string, value: unknown) => ({ [key]: value, [`${key}2`]: value }),
    ])
      assert.throws(() => PolicyFormat.decode(canonicalBytes(changed(policy, path, change))), {
        name: 'CodedError',
        code: 'policy.invalid',
      })
  })
}

const hex = (bytes: number, byte = '11') => byte.repeat(bytes)
const refused: Readonly<Record<string, readonly unknown[]>> = {
  crl: ['required', '', { graceSeconds: -1 }, { graceSeconds: 90 * 86_400 + 1 }, { graceSeconds: 0.5 }],
  cspIds: ['any', 'CN=a', [''], ['a\tb'], ['a'.repeat(129)], ['é'], Array.from({ length: 17 }, () => 'CN=a')],
  firmware: [{ major: 256, minor: 0, build: 0 }, { major: 1, minor: -1, build: 0 }, '1.55.49'],
  firmwareProfile: ['any', 'current', true],
  mitigations: [
    { launch: '00', current: hex(8) },
    { launch: hex(8), current: `${hex(7)}1` },
    { launch: hex(8), current: hex(8, 'AB') },
    { launch: 0, current: 0 },
  ],
  guestSvn: [-1, 2 ** 32, 0.5, '1', 'any'],
  familyIds: [[], hex(16), [hex(15)], [hex(17)], Array.from({ length: 65 }, () => hex(16))],
  imageIds: [[], hex(16), [hex(15)], [hex(16, 'AB')]],
  hostData: [[], hex(32), [hex(31)], [hex(33)]],
  idKeyDigests: [[], hex(48), [hex(47)], [hex(48, '00')], [hex(48), hex(48, '00')]],
  authorKeyDigests: [[], hex(48), [hex(47)], [hex(48, '00')]],
  chips: [[], hex(64), [hex(8)], [hex(64, '00')]],
  measurements: [[], 'any', [hex(47)], [hex(49)]],
  trust: [[], 'any', [hex(32)]],
  processors: [[], 'any'],
  vmpl: [-1, 4, 'any'],
}
for (const [field, values] of Object.entries(refused))
  test(`${field} refuses every other form`, () => {
    for (const value of values)
      assert.equal(loads({ ...WITH_LISTS, [field]: value }), false, JSON.stringify(value))
  })

const accepted: Readonly<Record<string, readonly Json[]>> = {
  crl: ['not-required', { graceSeconds: 0 }, { graceSeconds: 90 * 86_400 }],
  cspIds: [[], ['CN=cc-us-east-2.amazonaws.com'], Array.from({ length: 16 }, () => '~'.repeat(128))],
  firmwareProfile: ['committed', 'provisional'],
  guestSvn: [0, 0xffff_ffff],
  familyIds: ['any', Array.from({ length: 64 }, () => hex(16))],
  idKeyDigests: ['any', [`${hex(47, '00')}01`]],
  chips: ['any', Array.from({ length: 4096 }, () => hex(64))],
}
for (const [field, values] of Object.entries(accepted))
  test(`${field} accepts its limits`, () => {
    for (const value of values) assert.equal(loads({ ...WITH_LISTS, [field]: value }), true)
  })

test('for a report by itself, measurement and configuration may be any, if the reference values say so', () => {
  const value = { ...WITH_LISTS, measurements: 'any', trust: 'any' }
  assert.deepEqual(readReference(value), value)
  assert.deepEqual(readReference(WITH_LISTS), WITH_LISTS)
  assert.equal(
    reads(() => readReference({ ...value, trust: undefined })),
    false,
  )
  assert.equal(
    reads(() => readReference({ ...value, more: 1 })),
    false,
  )
})

const messages: readonly (readonly [change: object, message: string])[] = [
  [{ vmpl: 4 }, 'vmpl: must be a whole number from 0 to 3'],
  [{ vmpl: undefined, more: 1 }, 'vmpl: must be a whole number from 0 to 3; unknown field more'],
  [{ id: 'A' }, 'id: must be a name of a-z, 0-9, "." and "-", at most 64 characters'],
  [{ id: 1 }, 'id: must be a text'],
  [{ firmware: [] }, 'firmware: must be an object'],
  [{ firmware: { major: 1, minor: 2 } }, 'firmware.build: must be a whole number from 0 to 255'],
  [
    { chips: ['00'] },
    'chips.0: must be 64 bytes in lower-case hex; chips.0: must not be all zero, which stands for none',
  ],
  [{ chips: 'none' }, 'chips: must be "any" or be a list of 1 to 4096 entries'],
  [{ cspIds: 'any' }, 'cspIds: must be a list of 0 to 16 entries'],
  [{ trust: ['='] }, 'trust.0: must be 32 bytes in unpadded base64url'],
  [{ crl: { graceSeconds: -1 } }, 'crl.graceSeconds: must be a whole number from 0 to 7776000'],
  [{ 'a b': 1 }, 'unknown field a?b'],
]
for (const [change, message] of messages)
  test(`the reader says: ${message}`, () => {
    assert.throws(() => readReference({ ...WITH_LISTS, ...change }), {
      code: 'encoding.invalid',
      message: `the reference is malformed: ${message}`,
    })
  })
