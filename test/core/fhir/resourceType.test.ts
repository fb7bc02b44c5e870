import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_RESOURCE, resourceTypeOf } from '#core/fhir/resourceType.ts'

for (const [line, expected] of [
  ['{"resourceType":"Patient","id":"a"}', 'Patient'],
  ['{"id":"a", "resourceType" : "Patient"}', 'Patient'],
  ['{"contained":[{"resourceType":"Patient"}],"resourceType":"Condition"}', 'Condition'],
  [`{"resourceType":"${'P'.repeat(65)}"}`, NO_RESOURCE],
  ['{"resourceType":"Patient', NO_RESOURCE],
  ['{"resourceType":"Mrs. Doe"}', NO_RESOURCE],
  ['{"resourceType":1}', NO_RESOURCE],
  ['{"id":"a"}', NO_RESOURCE],
  ['null', NO_RESOURCE],
  ['Patient', NO_RESOURCE],
] as const)
  test(`the type of a line: ${line.slice(0, 40)}`, () =>
    assert.equal(resourceTypeOf(Buffer.from(line)), expected))
