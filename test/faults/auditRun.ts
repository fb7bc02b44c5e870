/** The provider's audit of everything that a deployment has recorded so far, by the command line. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Violation } from './oracle/world.ts'
import type { Site } from './site.ts'

type Report = {
  readonly verdict: string
  readonly findings: readonly { readonly code: string; readonly severity?: string }[]
}

/**
 * Findings that pass: a later boot tells the releases of a killed Verifier after its log has stood still for
 * two deadlines.
 */
const UNTOLD_YET = ['release.unended', 'release.abandoned']
/** Twice the deadline of a request, twice, and the pace of the Verifier's look. */
const TOLD_AFTER_MS = 45_000
const LOOK_AGAIN_MS = 3_000

/** Demands `intact`, at the latest when every interrupted release must have been told. */
export async function auditSite(site: Site): Promise<readonly Violation[]> {
  const deadline = performance.now() + TOLD_AFTER_MS
  for (;;) {
    const violations = await auditOnce(site)
    const passing = violations.every(({ subject }) => UNTOLD_YET.includes(subject))
    if (violations.length === 0 || !passing || performance.now() > deadline) return violations
    await sleep(LOOK_AGAIN_MS)
  }
}

async function auditOnce(site: Site): Promise<readonly Violation[]> {
  const { command, tryCommand, configOf, folders } = site.system.deployment
  const trust = ['--trust', configOf('trust')]
  await command(['evidence', 'export', '--config', configOf('export'), '--out', folders.evidence, ...trust])
  const { exit, stdout, stderr } = await tryCommand([
    ...['evidence', 'verify', folders.evidence, ...trust, '--simulation', '--json'],
  ])
  if (exit === 0) return []
  const report = parseReport(stdout)
  if (report === undefined)
    return [
      { invariant: 'audit.failed', subject: 'evidence', text: `exit code ${exit}: ${stderr.slice(-800)}` },
    ]
  return report.findings.map((finding) => ({
    invariant: `audit.${report.verdict}`,
    subject: finding.code,
    text: JSON.stringify(finding),
  }))
}

function parseReport(text: string): Report | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
