import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegistrationFormat } from '#core/boot/registration.ts'
import { CountTableFormat } from '#core/egress/table.ts'
import { EntryFormat } from '#core/evidence/entry.ts'
import { CommitFormat } from '#core/evidence/witness/commit.ts'
import { PermitFormat, PermitRefusalFormat } from '#core/evidence/witness/permit.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { IngestDecisionFormat } from '#core/job/decision.ts'
import { JobFormat } from '#core/job/job.ts'
import { ConsentFormat } from '#core/policy/consent.ts'
import { FreshnessFormat } from '#core/policy/freshness.ts'
import { PolicyFormat } from '#core/policy/policy.ts'
import { RevocationFormat } from '#core/policy/revocation.ts'
import { VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import { RefusalFormat } from '#core/release/refusal.ts'
import { ReleaseJobsFormat } from '#core/release/request.ts'
import { RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { ResultManifestFormat } from '#core/sealed/manifest.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { SetRecordFormat } from '#core/sealed/setRecord.ts'
import { readDocument, tableRows } from './document.ts'

const page = await readDocument('docs/formats.md')
const [, afterSigned = ''] = page.split('## Signed documents')
const [signed = '', afterOthers = ''] = afterSigned.split('## Other documents')
const [others = ''] = afterOthers.split('## Trust digest')
const bytesOf = (cell = '') => Number(cell.replaceAll(',', ''))

test('docs/formats.md names every signed document by its type, and how long it may be', () => {
  const rows = tableRows(signed).slice(1)
  assert.deepEqual(
    // The client assertion's format is no other room's business; its own tests hold its type and length.
    rows
      .map(([typ = '', name, , bytes]) => ({ typ: typ.slice(1, -1), name, maxBytes: bytesOf(bytes) }))
      .filter(({ typ }) => typ !== 'JWT'),
    [
      SealHeaderFormat,
      SealRecordFormat,
      SetRecordFormat,
      PolicyFormat,
      RevocationFormat,
      VerifierKeysFormat,
      ConsentFormat,
      FreshnessFormat,
      GrantKeyFormat,
      GrantFormat,
      RefusalFormat,
      PermitFormat,
      PermitRefusalFormat,
      RegistrationFormat,
      ResultManifestFormat,
    ].map(({ typ, name, maxBytes }) => ({ typ, name, maxBytes })),
  )
})

test('docs/formats.md names every other document, and how long it may be', () => {
  assert.deepEqual(
    tableRows(others)
      .slice(1)
      .map(([name, bytes]) => ({ name, maxBytes: bytesOf(bytes) })),
    [
      RuntimeDataFormat,
      ReleaseJobsFormat,
      JobFormat,
      IngestDecisionFormat,
      DeadLetterFormat,
      EntryFormat,
      CommitFormat,
      CountTableFormat,
    ].map(({ name, maxBytes }) => ({ name, maxBytes })),
  )
})
