/** The entries of one release, as a Verifier's log has them. */
import type { EntryBody } from '#core/evidence/entry.ts'

export const releaseIdOf = (n: number) => String(n).padStart(32, '0')

export const decided = (n: number): EntryBody => ({
  event: 'release.decided',
  releaseId: releaseIdOf(n),
  accepted: 0,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  permission: 'cohort-research',
  dataset: 'cohort',
  headerDigests: ['A'.repeat(43)],
  edition: 1,
  termsDigest: 'A'.repeat(43),
  scopesDigest: 'A'.repeat(43),
  consent: null,
  disclosure: false,
  quota: { begins: 0, used: { releases: 1, objects: 1, bytes: 1 } },
})

export const failed = (n: number): EntryBody => ({
  event: 'release.failed',
  releaseId: releaseIdOf(n),
  code: 'service.unavailable',
})
