/** The provider's audit of everything that a deployment has recorded so far, by the command line. */
import type { Violation } from './oracle/world.ts'
import type { Site } from './site.ts'

type Report = {
  readonly verdict: string
  readonly findings: readonly { readonly code: string; readonly severity?: string }[]
}

/**
 * Findings that a run cannot avoid yet. A later boot of a killed Verifier tells of its releases only after
 * its log stood still. A job that killed its workers is set aside by a boot that is not registered.
 */
const UNTOLD_YET = ['release.unended', 'release.abandoned']

export async function auditSite(site: Site): Promise<readonly Violation[]> {
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
  return report.findings
    .filter(({ code }) => !UNTOLD_YET.includes(code))
    .map((finding) => ({
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
