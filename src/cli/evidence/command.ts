/** The commands `evidence verify`, `report`, `prove`, `check-proof` and `export`. */
import type { Command } from 'commander'
import { ExportConfig } from '#cli/config.ts'
import { type CommandContext, formatBytes } from '#cli/terminal.ts'
import { addBlastCommand } from './blast/command.ts'
import { renderExported } from './exportText.ts'
import { addProofCommands } from './proofCommands.ts'
import { addQueryCommand } from './query/command.ts'

type VerifyArguments = { readonly trust?: string; readonly simulation: boolean; readonly json?: boolean }
type ReportArguments = VerifyArguments & { readonly output: string; readonly auditKey?: string }
type ExportArguments = {
  readonly config: string
  readonly out: string
  readonly trust?: string
  readonly json?: boolean
}

export function addEvidenceCommands(program: Command, context: CommandContext): void {
  const evidence = program
    .command('evidence')
    .helpCommand(false)
    .summary('copy and audit the evidence of decisions and results')
    .description('Copies and audits the evidence of decisions and results.')
  evidence
    .command('verify')
    .summary('audit a folder with copies of the evidence')
    .description(
      'Audits a folder with copies of the buckets. Reports who was allowed what, under which permission, on which machine and with which result, and whether anything was changed or is missing. Needs no network and no secret key.',
    )
    .argument('<dir>', 'a folder that `evidence export` wrote')
    .option('--trust <file>', "the provider's root, from a source other than DIR (default: DIR/trust.json)")
    .option('--simulation', 'accept evidence of simulated machines', false)
    .option('--json', 'print the whole report as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker evidence verify ./evidence --trust root.json

Exit codes
  0   intact, under the root of --trust
  1   incomplete or broken, or consistent under a root that you have not confirmed
  2   nothing to audit, or no root`,
    )
    .action(async (dir: string, options: VerifyArguments) => {
      const [{ auditFolder }, { renderEvidence }] = await Promise.all([
        import('#adapters/evidence/folderAudit.ts'),
        import('./text.ts'),
      ])
      const report = await auditFolder(dir, options)
      if (options.json === true) context.terminal.printJson(report)
      else context.terminal.print(renderEvidence(report))
      context.exit(report.verdict === 'intact' ? 0 : 1)
    })

  evidence
    .command('report')
    .summary('write the audit of a folder as one page for people')
    .description(
      'Audits a folder as `evidence verify` does, and writes what it found as one HTML page: the verdict, who received what and why, what machines proved, refusals, findings, and how to check it again. The page loads nothing and runs nothing. Up to 1,000 releases are listed one by one; the totals count all.',
    )
    .argument('<dir>', 'a folder that `evidence export` wrote')
    .requiredOption('-o, --output <file>', 'the page, which must not exist')
    .option('--trust <file>', "the provider's root, from a source other than DIR (default: DIR/trust.json)")
    .option('--audit-key <file>', "the provider's audit key (PEM); the page then has the sealed counts")
    .option('--simulation', 'accept evidence of simulated machines', false)
    .option('--json', 'print the outcome as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker evidence report ./evidence --trust root.json -o report.html

Exit codes
  0   written, and the evidence is intact
  1   written, and the evidence is incomplete or broken
  2   nothing to audit, no root, or FILE exists
  78  the audit key is no private key of P-256`,
    )
    .action((dir: string, options: ReportArguments) => writeReport(dir, options, context))

  addQueryCommand(evidence, async () => {
    const { queryActions } = await import('./query/actions.ts')
    return queryActions(context)
  })
  addBlastCommand(evidence, async () => {
    const { blastActions } = await import('./blast/actions.ts')
    return blastActions(context)
  })
  addProofCommands(evidence, async () => {
    const { proofActions } = await import('./proofActions.ts')
    return proofActions(context)
  })

  evidence
    .command('export')
    .summary("copy both sides' evidence into a folder")
    .description(
      'Copies the governance objects, the logs of Verifiers and workers, and the manifests of results (not their content) into a folder for `evidence verify`. A second run copies only new objects.',
    )
    .requiredOption('--config <file>', 'the buckets (below)')
    .requiredOption('--out <dir>', 'the folder, created if it is absent')
    .option('--trust <file>', "the provider's root, copied to DIR/trust.json")
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker evidence export --config audit.json --out ./evidence --trust root.json

Configuration (JSON; it holds no secret)
  {
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "AUDIT"}, "endpoints": {}},
    "provider": {"namespace": "hospital", "governance": "governance", "evidence": "evidence-verifier",
                 "workerEvidence": "evidence-worker"},
    "consumer": {"namespace": "research", "results": "results"},
    "simulation": false
  }

Exit codes
  0   copied
  2   DIR has other objects under the same names
  75  try again
  78  the configuration must be changed first`,
    )
    .action((options: ExportArguments) => exportAll(options, context))
}

async function writeReport(dir: string, options: ReportArguments, context: CommandContext): Promise<void> {
  const { writePage } = await import('./writePage.ts')
  const written = await writePage(dir, options)
  const { verdict, file, bytes } = written
  if (options.json === true) context.terminal.printJson(written)
  else context.terminal.print(`${verdict.toUpperCase()}  ${file} (${formatBytes(bytes)})\n`)
  context.exit(verdict === 'intact' ? 0 : 1)
}

async function exportAll(options: ExportArguments, { terminal }: CommandContext): Promise<void> {
  const [{ readConfig }, { openServices }, { exportEvidence }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
    import('#adapters/evidence/export.ts'),
  ])
  const config = await readConfig(options.config, ExportConfig, 'evidence export')
  const services = openServices(config)
  try {
    const exported = await exportEvidence(config, options, {
      store: services.objectStore(),
      signal: terminal.interruption(),
    })
    if (options.json === true) terminal.printJson(exported)
    else terminal.print(renderExported(exported))
  } finally {
    services.close()
  }
}
