/**
 * The limits of policies and revocation lists: the least and the greatest number of rows load, one less and
 * one more do not.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import type { Format, Json } from '#core/canonical.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { PolicyFormat } from '#core/policy/policy.ts'
import { RevocationFormat } from '#core/policy/revocation.ts'
import { policyOf } from '../release/releaseWorld.ts'

type Path = readonly (string | number)[]
type Decoder = Pick<Format<unknown>, 'decode'>
type Limits = readonly [path: string, least: number, most: number, value?: Json]

const hex = (bytes: number) => '11'.repeat(bytes)

const POLICY_LISTS: readonly Limits[] = [
  ['excludedSigners', 0, 16, 'A'.repeat(43)],
  ['roots', 1, 16],
  ['referenceValues', 1, 64],
  ['clients', 1, 64],
  ['clients.0.keys', 1, 8],
  ['populations', 0, 256],
  ['datasets', 0, 256],
  ['datasets.0.sealingKeys', 1, 16],
  ['datasets.0.keyIds', 1, 16],
  ['datasets.0.permissions', 0, 256],
  ['datasets.0.permissions.0.scopes', 1, 64],
  ['datasets.0.permissions.0.sensitive', 0, 64, 'HIV'],
  ['referenceValues.0.measurements', 1, 64],
  ['referenceValues.0.cspIds', 0, 16, 'CN=csp.example'],
  ['referenceValues.0.processors', 1, 64],
  ['referenceValues.0.familyIds', 1, 64, hex(16)],
  ['referenceValues.0.imageIds', 1, 64, hex(16)],
  ['referenceValues.0.idKeyDigests', 1, 64, hex(48)],
  ['referenceValues.0.authorKeyDigests', 1, 64, hex(48)],
  ['referenceValues.0.hostData', 1, 64, hex(32)],
  ['referenceValues.0.trust', 1, 64],
  ['referenceValues.0.chips', 1, 4096, hex(64)],
]
const REVOCATION = {
  v: 1,
  seq: 1,
  tenant: 'hospital',
  audience: 'https://verifier.hospital.example',
  issuedAt: 1,
  replaces: [toBase64url(Buffer.alloc(32))],
  referenceValues: ['worker-1'],
  objects: ['5e'.repeat(16)],
  boots: ['a'.repeat(26)],
  permissions: ['p-1'],
}
const REVOCATION_LISTS: readonly Limits[] = [
  ['replaces', 0, 4096],
  ['referenceValues', 0, 1024],
  ['objects', 0, 65_536],
  ['boots', 0, 65_536],
  ['permissions', 0, 1024],
]

test('a dataset at platform assurance names the administrator of the machine, and nothing else', () => {
  const whole = JSON.parse(JSON.stringify(policyOf()))
  const load = (assurance: Json) => {
    whole.datasets[0].assurance = assurance
    return PolicyFormat.decode(canonicalBytes(whole)).datasets[0]?.assurance
  }
  const good = { level: 'platform', administeredBy: 'neutral' }
  assert.deepEqual(load(good), good)
  for (const assurance of [
    { ...good, since: 1 },
    { level: 'platform' },
    { ...good, administeredBy: 'nobody' },
    { level: 'measured', administeredBy: 'neutral' },
  ])
    assert.throws(() => load(assurance), { name: 'CodedError', code: 'policy.invalid' })
})

test('no object in a policy accepts an unknown field', () => {
  const whole = JSON.parse(JSON.stringify(policyOf()))
  const refused: string[] = []
  for (const [path, object] of objectsOf(whole, 'policy')) {
    object['unknown'] = 1
    const load = () => PolicyFormat.decode(canonicalBytes(whole))
    assert.throws(load, { name: 'CodedError', code: 'policy.invalid' }, path)
    delete object['unknown']
    refused.push(path)
  }
  assert.ok(refused.length > 20)
  PolicyFormat.decode(canonicalBytes(whole))
})

/** Each with its path. */
function objectsOf(value: unknown, path: string): readonly (readonly [string, Record<string, unknown>])[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([key, child]) => objectsOf(child, `${path}.${key}`))
  // What is an object and no list has members by name.
  return Array.isArray(value) ? inside : [[path, value as Record<string, unknown>], ...inside]
}

held('policy', PolicyFormat, JSON.parse(JSON.stringify(policyOf())), POLICY_LISTS)
held('revocation list', RevocationFormat, REVOCATION, REVOCATION_LISTS)

function held(document: string, format: Decoder, whole: Json, limits: readonly Limits[]): void {
  for (const [name, least, most, value] of limits)
    test(`${name} of a ${document} has ${least} to ${most} rows`, () => {
      const path = name.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key))
      const rows = (count: number) => replaced(whole, path, (list) => new Array(count).fill(value ?? list[0]))
      for (const count of [least, most]) assert.ok(loads(format, rows(count)), String(count))
      for (const count of [least - 1, most + 1])
        if (count >= 0) assert.equal(loads(format, rows(count)), false, String(count))
    })
}

function loads(format: Decoder, value: Json): boolean {
  try {
    format.decode(canonicalBytes(value))
    return true
  } catch (error) {
    assert.ok(error instanceof CodedError && error.code === 'policy.invalid')
    return false
  }
}

function replaced(value: Json, [key, ...rest]: Path, make: (list: readonly Json[]) => Json): Json {
  if (key === undefined) return make(Array.isArray(value) ? value : [])
  if (Array.isArray(value))
    return value.map((child, at) => (at === key ? replaced(child, rest, make) : child))
  return Object.fromEntries(
    Object.entries(value as { readonly [name: string]: Json }).map(([name, child]) => [
      name,
      name === key ? replaced(child, rest, make) : child,
    ]),
  )
}

for (const [name, least, most] of [['datasets.0.idKey.wrapped', 32, 1024]] as const)
  test(`${name} has ${least} to ${most} bytes`, () => {
    const whole: Json = JSON.parse(JSON.stringify(policyOf()))
    const sized = (bytes: number) =>
      replaced(
        whole,
        name.split('.').map((key) => (key === '0' ? 0 : key)),
        () => Buffer.alloc(bytes, 1).toString('base64url'),
      )
    for (const bytes of [least, most]) assert.ok(loads(PolicyFormat, sized(bytes)))
    for (const bytes of [least - 1, most + 1]) assert.equal(loads(PolicyFormat, sized(bytes)), false)
  })

test('a document above its size limit is refused unread', () => {
  assert.equal(PolicyFormat.maxBytes, 1024 * 1024)
  assert.equal(RevocationFormat.maxBytes, 4 * 1024 * 1024)
  for (const { maxBytes, decode } of [PolicyFormat, RevocationFormat])
    assert.throws(() => decode(Buffer.alloc(maxBytes + 1, ' ')), {
      code: 'policy.invalid',
      message: /the limit is/,
    })
})

for (const [text, holds] of [
  ['HI', true],
  ['ABCDEFGHIJKL', true],
  ['H', false],
  ['ABCDEFGHIJKLM', false],
  ['hiv', false],
] as const)
  test(`${text} is ${holds ? 'a' : 'not a'} sensitive category`, () => {
    const path = ['datasets', 0, 'permissions', 0, 'sensitive']
    assert.equal(
      loads(
        PolicyFormat,
        replaced(JSON.parse(JSON.stringify(policyOf())), path, () => [text]),
      ),
      holds,
    )
  })
