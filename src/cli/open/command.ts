/** The command `open`. */
import type { Command } from 'commander'
import { OpenConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import { renderOpened } from './text.ts'

type OpenArguments = {
  readonly config: string
  readonly out?: string
  readonly evidence?: string
  readonly list?: boolean
  readonly revoked?: boolean
  readonly json?: boolean
}

export function addResultCommands(program: Command, context: CommandContext): void {
  program
    .command('open')
    .summary('verify and decrypt a result, or list all results')
    .description(
      'Verifies that a registered worker produced the result and is not revoked, unwraps its key with your Vault and writes the content to a new file. On failure nothing is written.',
    )
    .argument('[result-id]', '64 hexadecimal digits, as --list prints them')
    .requiredOption('--config <file>', 'the pin, your Vault and the buckets (below)')
    .option('--out <file>', 'the content, a new file (default: RESULT-ID.result)')
    .option('--evidence <dir>', 'read keys and registrations from a folder that `evidence export` wrote')
    .option('--revoked', 'open a result although the provider has revoked the worker that signed it')
    .option('--list', 'list the results in the bucket')
    .option('--json', 'print JSON, one line per result')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker open --list --config open.json
  confidential-worker open 5f1c…e2 --config open.json --out summary.json

Configuration (JSON; it holds no secret)
  {
    "trust": {
      "providerRoot": {"keys": [{"person": "ada", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}},
                                {"person": "ben", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}}],
                       "threshold": 2},
      "audience": "https://verifier.hospital.example",
      "simulation": false},
    "tenant": "hospital",
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "RESEARCH"},
            "endpoints": {"vaultCrypto": "https://…", "vaultManagement": "https://…"}},
    "namespace": "research", "bucket": "results",
    "provider": {"namespace": "hospital", "governance": "governance", "evidence": "evidence-verifier"}
  }

Exit codes
  0   opened
  1   no such result, not from a registered worker or from a revoked one, changed, or not for your key
  2   the output exists
  75  try again
  78  the configuration must be changed first`,
    )
    .action((resultId: string | undefined, options: OpenArguments) =>
      options.list === true ? list(options, context) : open(resultId, options, context),
    )
}

async function open(
  resultId: string | undefined,
  options: OpenArguments,
  { terminal }: CommandContext,
): Promise<void> {
  if (resultId === undefined)
    throw new CodedError('usage.invalid', 'open needs the id of a result, or --list')
  const [{ openResultFile }, { resultTrust }, { loadSegmentCipher }] = await Promise.all([
    import('#adapters/sealed/openResult.ts'),
    import('#cli/services.ts'),
    import('#adapters/aead/native.ts'),
  ])
  const { config, services, results, store } = await openResults(options.config)
  try {
    const from = options.evidence === undefined ? store : { evidence: options.evidence }
    const opened = await openResultFile(
      {
        resultId,
        out: options.out ?? `${resultId}.result`,
        revoked: options.revoked === true,
      },
      {
        results,
        trust: resultTrust(config, from),
        vault: services.keyVault(),
        cipher: loadSegmentCipher().cipher,
        progress: terminal.progress('opening'),
        signal: terminal.interruption(),
      },
    )
    if (options.json === true) terminal.printJson(opened)
    else terminal.print(renderOpened(opened))
  } finally {
    services.close()
  }
}

async function list(options: OpenArguments, { terminal }: CommandContext): Promise<void> {
  const { listResults } = await import('#adapters/sealed/openResult.ts')
  const { services, results } = await openResults(options.config)
  try {
    for await (const result of listResults(results))
      if (options.json === true) terminal.printJson(result)
      else terminal.print(`${result.resultId}\n`)
  } finally {
    services.close()
  }
}

async function openResults(path: string) {
  const [{ readConfig }, { openServices }, { readerOf }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
    import('#adapters/evidence/collection.ts'),
  ])
  const config = await readConfig(path, OpenConfig, 'open')
  const services = openServices({ oci: config.oci, simulation: config.trust.simulation })
  const store = services.objectStore()
  const { namespace, bucket } = config
  return { config, services, store, results: readerOf(store, { namespace, bucket }) }
}
