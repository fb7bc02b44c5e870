import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FetchedList } from '#adapters/sev/fetchEndorsements.ts'
import type { InspectedFile } from '#adapters/sev/inspectedFile.ts'
import { renderFetched, renderInspection } from '#cli/endorsements/text.ts'

const list: FetchedList = {
  product: 'Genoa',
  number: '0a',
  thisUpdate: '2026-08-19T00:00:00Z',
  nextUpdate: '2026-10-04T00:00:00Z',
  ended: false,
  revoked: [],
}
const fetched = (lists: readonly FetchedList[]) =>
  renderFetched({
    to: 'dir',
    kds: 'https://kdsintf.amd.com',
    files: [
      { file: 'Genoa/ark.der', sha256: 'ab'.repeat(32), status: 'written' },
      { file: 'Genoa/crl.der', sha256: 'cd'.repeat(32), status: 'unchanged' },
    ],
    lists,
  })

test('what was fetched: files with fingerprints, then revocation lists', () => {
  assert.equal(
    fetched([list, { ...list, ended: true, revoked: ['020001'] }]),
    `1 of 2 files written to dir, from https://kdsintf.amd.com; all verified up to the roots

written    Genoa/ark.der  sha256 abababababababab…
unchanged  Genoa/crl.der  sha256 cdcdcdcdcdcdcdcd…

Genoa: revocation list 10, valid until 2026-10-04T00:00:00Z, nothing revoked
Genoa: revocation list 10, ENDED 2026-10-04T00:00:00Z, revoked: 020001
`,
  )
})

const good: InspectedFile = {
  file: 'Genoa/ask.der',
  state: 'good',
  problem: null,
  subject: 'SEV-Genoa',
  serial: '020002',
  sha256: 'ab'.repeat(32),
  pinned: null,
  validFrom: '2022-10-31T13:33:48Z',
  validTo: '2047-10-31T13:33:48Z',
  daysLeft: 7710,
  crl: null,
}
const inspected = (files: readonly InspectedFile[]) =>
  renderInspection({ folder: 'dir', at: '2026-09-21T00:00:00Z', files })

test('a sound folder: one line per file', () => {
  assert.equal(
    inspected([good, { ...good, file: 'Genoa/crl.der', crl: { number: '0a', revoked: ['020001'] } }]),
    `SOUND  dir at 2026-09-21T00:00:00Z: 2 files, all good

state  file           subject    serial  sha256             from        to          days left
good   Genoa/ask.der  SEV-Genoa  020002  abababababababab…  2022-10-31  2047-10-31  7710
good   Genoa/crl.der  SEV-Genoa  020002  abababababababab…  2022-10-31  2047-10-31  7710       number 10, revoked: 020001
`,
  )
})

test('a folder that is not sound says which files are not good, and why', () => {
  const problem = { code: 'chain.expired', message: 'valid from then to then, not at now' } as const
  const text = inspected([
    good,
    { ...good, file: 'Genoa/ark.der', state: 'simulated', pinned: false },
    { ...good, file: 'vlek.der', state: 'expired', problem },
  ])
  assert.match(text, /^NOT SOUND {2}dir at 2026-09-21T00:00:00Z: 2 of 3 files are not good\n/)
  assert.match(text, /\nsimulated {2}Genoa\/ark\.der .* not AMD's\n/)
  assert.match(text, /\nsimulated: .*under a root that is not AMD's/)
  assert.match(text, /\nvlek\.der: valid from then to then, not at now \(chain\.expired\)\n/)
})

test('an empty folder is not sound', () => {
  assert.equal(inspected([]), 'NOT SOUND  dir at 2026-09-21T00:00:00Z: the folder has no endorsements\n')
})
