/**
 * The auditor's part: copies the evidence of both sides into one folder, verifies it from the pin, and writes
 * the report for people.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import type { EvidenceReport, RefusedRelease } from '#core/evidence/audit/report.ts'
import type { Deployment } from './deployment.ts'

/** The fields of the report that the demo reads. The whole report is in audit.json. */
const Report = z.looseObject({
  verdict: z.enum(['intact', 'consistent', 'incomplete', 'broken']),
  findings: z.array(z.looseObject({ code: z.string() })),
  logs: z.array(z.unknown()),
  releases: z.array(z.looseObject({ kind: z.enum(['allowed', 'refused']) })),
})
export type Audited = {
  readonly verdict: EvidenceReport['verdict']
  readonly logs: number
  readonly allowed: number
  readonly refused: readonly RefusedRelease[]
  readonly findings: readonly string[]
}

export async function exportEvidence({ command, configOf, folders }: Deployment): Promise<void> {
  const parameters = ['--config', configOf('export'), '--out', folders.evidence, '--trust', configOf('trust')]
  await command(['evidence', 'export', ...parameters])
}

/**
 * Writes the page that a regulator or a privacy officer reads; the hospital's audit key opens the counts. An
 * intact audit came before, so any other exit is a fault.
 */
export async function writeReport({ command, configOf, folders, auditKeyFile }: Deployment): Promise<string> {
  const file = join(folders.root, 'report.html')
  const parameters = ['--trust', configOf('trust'), '--audit-key', auditKeyFile, '--simulation', '-o', file]
  await command(['evidence', 'report', folders.evidence, ...parameters])
  return file
}

/** Writes audit.json and audit.txt. Throws `evidence.inconsistent` unless the verdict is `intact`. */
export async function verifyEvidence({ tryCommand, configOf, folders }: Deployment): Promise<Audited> {
  const parameters = [folders.evidence, '--trust', configOf('trust'), '--simulation']
  const [{ exit, stdout }, text] = await Promise.all([
    tryCommand(['evidence', 'verify', ...parameters, '--json']),
    tryCommand(['evidence', 'verify', ...parameters]),
  ])
  await writeFile(join(folders.root, 'audit.txt'), text.stdout)
  await writeFile(join(folders.root, 'audit.json'), stdout)
  const value = parseJson(Buffer.from(stdout), 'audit')
  const { verdict, findings, logs, releases } = checkShape(Report, value, 'audit', 'internal.fault')
  if (exit !== 0 || verdict !== 'intact')
    throw new CodedError(
      'evidence.inconsistent',
      `the evidence is ${verdict}: ${findings.map(({ code }) => code).join(', ')}; see ${join(folders.root, 'audit.txt')}`,
    )
  return {
    verdict,
    logs: logs.length,
    allowed: releases.filter(({ kind }) => kind === 'allowed').length,
    // The report of our own command, in this version.
    refused: releases.filter(({ kind }) => kind === 'refused') as unknown as RefusedRelease[],
    findings: findings.map(({ code }) => code),
  }
}
