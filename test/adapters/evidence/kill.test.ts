import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { bootOf } from '#core/boot/boot.ts'
import { Findings } from '#core/evidence/audit/finding.ts'
import { Logs } from '#core/evidence/audit/log/logs.ts'
import { computeHere } from '#core/evidence/audit/tasks.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import { exportJwk } from '#core/jwk.ts'
import { toUnixSeconds } from '#core/time.ts'
import { faultyStore, temporaryFolder, unavailable } from './stores.ts'

const bucket = { namespace: 'test', bucket: 'evidence-worker' }
const entry: EntryBody = {
  event: 'policy.loaded',
  policySeq: 1,
  policyDigest: 'A'.repeat(43),
  revocationSeq: 0,
  revocations: [],
}

// Three flushes of a log that crosses a tile. The process dies after each of their writes.
const FLUSHES = [3, 300, 2]
const ALL_WRITES = 13

async function live(dies: number) {
  const folder = await temporaryFolder()
  const store = await faultyStore(folder)
  store.fault = (_, nth) => {
    if (nth > dies) throw unavailable()
    return undefined
  }
  const key = generateKeyPairSync('ed25519').privateKey
  const jwk = exportJwk(key)
  assert(jwk.kty === 'OKP')
  const boot = bootOf(jwk)
  const log = createEvidenceLog({
    store,
    bucket,
    role: 'worker',
    key,
    boot,
    software: 's',
    simulation: false,
    now: () => toUnixSeconds(1000),
  })
  let sealed = 0
  let appended = 1
  for (const count of FLUSHES) {
    for (; appended < sealed + count; appended++) log.append(entry)
    try {
      sealed = (await log.flush()).size
    } catch {
      break
    }
  }
  return { folder, boot, sealed, appended, writes: store.asked.length }
}

test(`a log that is not killed takes ${ALL_WRITES} writes`, async () => {
  const { writes, sealed } = await live(Number.POSITIVE_INFINITY)
  assert.deepEqual([writes, sealed], [ALL_WRITES, 305])
})

for (let dies = 0; dies < ALL_WRITES; dies++)
  test(`killed after write ${dies}: flushed entries are sealed, the rest is an unsealed tail, the audit finds nothing`, async () => {
    const { folder, sealed, appended } = await live(dies)
    const findings = new Findings()
    const registrations = new Map()
    const logs = new Logs(registrations)
    const objects = openCollection(folder).workerLogs
    await logs.read({ objects, role: 'worker', registrations, findings, compute: computeHere })
    const [report] = logs.reports
    assert.deepEqual(findings.list, [])
    assert.equal(report?.size ?? 0, sealed)
    assert.equal(report?.status ?? 'open', 'open')
    assert((report?.unsealed ?? 0) <= appended - sealed)
  })
