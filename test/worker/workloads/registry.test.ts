import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TrustAnchors } from '#core/release/trust.ts'
import { findWorkload, loadWorkloads, workloadAnchor } from '../../../src/worker/workloads/registry.ts'

const source = new URL('../../../src/worker/workloads/fhirSummary.ts', import.meta.url)
const digest = createHash('sha256').update(readFileSync(source))

test('a workload goes by its name and the digest of its source', async () => {
  const workloads = await loadWorkloads()
  const expected = digest.digest()
  assert.deepEqual(
    workloads.map(({ name, digest: found }) => [name, found]),
    [['fhir-summary', expected.toString('base64url')]],
  )
  const anchors = workloads.map(workloadAnchor)
  assert.deepEqual(anchors, [`fhir-summary@${expected.toString('hex')}`])
  assert.deepEqual(TrustAnchors.shape.workloads.parse(anchors), anchors)
})

test('only the granted name with the granted digest is run', async () => {
  const workloads = await loadWorkloads()
  const [summary] = workloads
  const granted = { name: 'fhir-summary', digest: summary?.digest ?? '', parameters: {} }
  assert.equal(findWorkload(workloads, granted), summary)
  for (const other of [
    { ...granted, name: 'other' },
    { ...granted, digest: 'A'.repeat(43) },
  ])
    assert.throws(() => findWorkload(workloads, other), { code: 'workload.unknown' })
})
