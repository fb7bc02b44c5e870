/** The command `explain`. */
import type { Command } from 'commander'
import { ExportConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import type { EvidenceReport } from '#core/evidence/audit/report.ts'
import { findDenial } from './denial.ts'
import { renderDenial } from './text.ts'

type Arguments = {
  readonly evidence?: string
  readonly config?: string
  readonly trust?: string
  readonly simulation: boolean
  readonly json?: boolean
}

export function addExplainCommand(program: Command, context: CommandContext): void {
  program
    .command('explain')
    .summary('say why a request or a job was refused')
    .description(
      'Finds a denial in the evidence of the Verifiers. Prints each reason with its remedy, how far the worker was from the nearest reference values, the policy and the revocation lists in force then, and the traces of the jobs. Audits the evidence first.',
    )
    .argument('<denial-id>', 'of the log of a worker or a Verifier; its first eight digits may do')
    .option('--evidence <dir>', 'a folder that `evidence export` wrote')
    .option('--config <file>', 'instead of --evidence: the buckets, as for `evidence export`')
    .option('--trust <file>', "the provider's root (default with --evidence: DIR/trust.json)")
    .option('--simulation', 'accept evidence of simulated machines', false)
    .option('--json', 'print the denial as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker explain 3f9ac0d1e2b3 --evidence ./evidence
  confidential-worker explain 3f9ac0d1e2b3 --config audit.json --trust root.json

Exit codes
  0   found
  1   the evidence has no such denial
  2   nothing to audit, no root, or a wrong command line
  75  try again
  78  the configuration must be changed first`,
    )
    .action(async (id: string, options: Arguments) => {
      const report = await auditOf(options)
      const denial = findDenial(report, id)
      if (options.json === true) context.terminal.printJson(denial)
      else context.terminal.print(renderDenial(denial))
    })
}

/** The denial may be an old one. */
const rows = Number.MAX_SAFE_INTEGER

async function auditOf({ evidence, config, trust, simulation }: Arguments): Promise<EvidenceReport> {
  const { auditFolder } = await import('#adapters/evidence/folderAudit.ts')
  if (evidence !== undefined && config === undefined)
    return await auditFolder(evidence, { trust, simulation, rows })
  if (config !== undefined && evidence === undefined && trust !== undefined)
    return await auditOfBuckets(config, { trust, simulation })
  throw new CodedError('usage.invalid', 'name --evidence DIR, or --config FILE with --trust FILE')
}

async function auditOfBuckets(
  path: string,
  options: { readonly trust: string; readonly simulation: boolean },
): Promise<EvidenceReport> {
  const [{ readConfig }, { openServices }, { auditBuckets }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
    import('#adapters/evidence/folderAudit.ts'),
  ])
  const config = await readConfig(path, ExportConfig, 'explain')
  const services = openServices(config)
  try {
    return await auditBuckets(config, { ...options, rows }, services.objectStore())
  } finally {
    services.close()
  }
}
