/** `evidence verify` and `evidence export`, as they are typed. */
import type { Command } from 'commander'
import { ExportConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { renderExported } from './exportText.ts'

type VerifyArguments = { readonly trust?: string; readonly simulation: boolean; readonly json?: boolean }
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
    .description('What was decided and done, checked by anyone.')
  evidence
    .command('verify')
    .summary('audit a folder with copies of the evidence')
    .description(
      'Audits a folder with copies of the buckets: who was allowed what, by which policy, on which machine, and what became of it; and whether anything was changed or is missing. Needs no network and no secret key.',
    )
    .argument('<dir>', 'as `evidence export` writes it')
    .option('--trust <file>', "the provider's root, which you got by another way (default: DIR/trust.json)")
    .option('--simulation', 'accept evidence of a simulated machine', false)
    .option('--json', 'print the whole report as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker evidence verify ./evidence --trust root.json

Exit codes
  0 intact   1 incomplete, or broken   2 nothing to audit, or no root to audit it from`,
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
    .command('export')
    .summary("copy both sides' evidence into a folder")
    .description(
      'Copies the governance objects, the logs of Verifiers and workers, and the manifests of results (not their content) into a folder for `evidence verify`. Run again, it copies what is new.',
    )
    .requiredOption('--config <file>', 'where the buckets are (below)')
    .requiredOption('--out <dir>', 'the folder; made where it is absent')
    .option('--trust <file>', "the provider's root, copied to DIR/trust.json")
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker evidence export --config audit.json --out ./evidence --trust root.json

Configuration (JSON)
  {
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "AUDIT"}, "endpoints": {}},
    "provider": {"namespace": "hospital", "governance": "governance", "evidence": "evidence-verifier"},
    "consumer": {"namespace": "research", "evidence": "evidence-worker", "results": "results"},
    "simulation": false
  }

Exit codes
  0 copied   2 DIR holds something else already   75 try again   78 configuration, or no permission to read`,
    )
    .action((options: ExportArguments) => exportAll(options, context))
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
