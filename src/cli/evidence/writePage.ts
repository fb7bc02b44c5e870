/** `evidence report`: audits a folder and writes the page. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { auditFolder } from '#adapters/evidence/folderAudit.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { assertAbsent, createFile } from '#adapters/system/files.ts'
import { readPem } from '#adapters/system/pem.ts'
import { softwareName } from '#adapters/system/software.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { EvidenceReport } from '#core/evidence/audit/report.ts'
import { renderPage } from './page/page.ts'
import { Totals } from './page/totals.ts'

export type WrittenPage = {
  readonly file: string
  readonly bytes: number
  readonly verdict: EvidenceReport['verdict']
  readonly findings: number
}

/** Throws `output.exists`, `output.unwritable`, `config.invalid` for the audit key, and what an audit throws. */
export async function writePage(
  dir: string,
  options: {
    readonly output: string
    readonly trust?: string | undefined
    readonly auditKey?: string | undefined
    readonly simulation: boolean
  },
): Promise<WrittenPage> {
  const { output, trust, simulation } = options
  await assertAbsent(output)
  const auditKey = options.auditKey === undefined ? undefined : await readAuditKey(options.auditKey)
  const totals = new Totals()
  const onRelease = totals.add.bind(totals)
  const report = await auditFolder(dir, { trust, simulation, auditKey, onRelease })
  const page = renderPage({ report, totals, preparedAt: systemClock.now(), software: softwareName() })
  const bytes = await createFile(output, [utf8(page)])
  return {
    file: output,
    bytes,
    verdict: report.verdict,
    findings: report.findings.length + report.findingsOmitted,
  }
}

async function readAuditKey(path: string): Promise<KeyObject> {
  const pem = await readPem('--audit-key', path)
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(pem)
  } catch {
    key = undefined
  }
  if (key?.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new CodedError('config.invalid', `--audit-key: ${path} is not a private key of P-256`)
  return key
}
