/** The command `freshness`. */
import type { Command } from 'commander'
import { FreshnessConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import { renderStated } from './text.ts'

type FreshnessArguments = { readonly config: string; readonly every?: string; readonly json?: boolean }

const LONGEST_SECONDS = 600

export function addFreshnessCommand(program: Command, context: CommandContext): void {
  program
    .command('freshness')
    .summary('state what is in force')
    .description(
      'Reads and verifies what the policy signers have published, and signs a statement that names it. A statement ends after 15 minutes. With it, storage that hides a policy or a revocation is found out. Run it on a host of its own, which neither releases nor seals, with --every.',
    )
    .requiredOption('--config <file>', 'the pin, the key and the buckets (below)')
    .option(
      '--every <seconds>',
      'go on until SIGTERM: a statement this often, 60 to 600, and after each change',
    )
    .option('--json', 'print JSON, one line per statement')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker freshness --config freshness.json
  confidential-worker freshness --config freshness.json --every 300

It never states less than it did before: the file "state" and the bucket say what that was. There is one
statement a minute; a change within the minute waits for the next one.

Configuration (JSON; it holds no secret)
  {
    "trust": {
      "providerRoot": {"keys": [{"person": "ada", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}},
                                {"person": "ben", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}}],
                       "threshold": 2},
      "audience": "https://verifier.hospital.example",
      "simulation": false},
    "tenant": "hospital",
    "freshnessKey": {"kind": "file", "path": "/etc/confidential-freshness/key.pem"},
    "state": "/var/lib/confidential-freshness/last.json",
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "FRESHNESS"},
            "endpoints": {}},
    "namespace": "hospital",
    "buckets": {"governance": "governance", "freshness": "freshness"}
  }

Exit codes
  0   stated, or ended by SIGTERM
  75  nothing is in force, or the bucket shows less than was stated: see to it, then try again
  78  the configuration must be changed first`,
    )
    .action((options: FreshnessArguments) => freshness(options, context))
}

async function freshness(options: FreshnessArguments, { terminal }: CommandContext): Promise<void> {
  const every = options.every === undefined ? undefined : secondsOf(options.every)
  const [{ readConfig }, { openFreshness }, { keepFresh }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
    import('./keep.ts'),
  ])
  const config = await readConfig(options.config, FreshnessConfig, 'freshness')
  const { services, signer } = await openFreshness(config, ({ name, reason }) =>
    terminal.warn(`${name} does not count: ${reason}`),
  )
  try {
    await keepFresh(signer, {
      every,
      told: (stated) => {
        if (options.json === true) terminal.printJson(stated)
        else terminal.print(renderStated(stated))
      },
      warn: terminal.warn,
      signal: terminal.interruption(),
    })
  } finally {
    services.close()
  }
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (seconds < 60 || seconds > LONGEST_SECONDS)
    throw new CodedError('usage.invalid', `--every is ${text}, expected 60 to ${LONGEST_SECONDS} seconds`)
  return seconds
}
