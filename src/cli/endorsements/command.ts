/** The commands `endorsements fetch` and `endorsements show`. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import { under } from '#core/errors.ts'
import { KDS_ORIGIN } from '#core/snp/kds.ts'
import { parseRfc3339 } from '#core/time.ts'
import type { FetchFlags } from './fetch.ts'

export function addEndorsementsCommands(program: Command, context: CommandContext): void {
  const endorsements = program
    .command('endorsements')
    .helpCommand(false)
    .summary("keep AMD's certificates and revocation lists in a folder")
    .description(
      "Keeps AMD's certificates and revocation lists in a folder, for Verifier, worker and `report verify`.",
    )
  addFetch(endorsements, context)
  addShow(endorsements, context)
}

function addFetch(endorsements: Command, context: CommandContext): void {
  endorsements
    .command('fetch')
    .summary("fetch AMD's certificates and revocation lists into a folder")
    .description(
      "Asks AMD's key distribution service for ARK, ASK, ASVK and revocation list of each product and, with --report, for the VCEK of the report's chip and TCB. Each file is verified up to AMD's pinned root before it is written. An older revocation list never replaces a newer one.",
    )
    .requiredOption('--to <dir>', 'the folder: <Product>/{ark,ask,asvk,crl}.der and <Product>/vcek/…')
    .option(
      '--product <name>',
      'Milan, Genoa or Turin; may be repeated (default: that of the report, or all)',
      collect,
      [],
    )
    .option('--report <file>', 'a report, 1184 bytes: fetch the certificate of its key too')
    .option(
      '--kds <url>',
      `the key distribution service, or a mirror of it (default: ${KDS_ORIGIN})`,
      KDS_ORIGIN,
    )
    .option('--roots <dir>', "roots to trust instead of AMD's, for a simulation: <Product>/ark.der")
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker endorsements fetch --to /etc/confidential-verifier/endorsements --product Genoa --product Turin
  confidential-worker endorsements fetch --to endorsements --report report.bin
  confidential-worker report verify --report report.bin --certs endorsements/Genoa/vcek --crl endorsements/Genoa/crl.der

Exit codes
  0   everything is in the folder and verified
  1   not AMD's, revoked, or older than the file in the folder
  2   malformed input, or a file cannot be written
  75  the service is unavailable, or does not know this key (yet)`,
    )
    .action(async (options: FetchFlags & { readonly json?: boolean }) => {
      const [{ fetchByFlags }, { renderFetched }, { systemClock }] = await Promise.all([
        import('./fetch.ts'),
        import('./text.ts'),
        import('#adapters/system/clock.ts'),
      ])
      const { terminal } = context
      if (options.roots !== undefined)
        terminal.warn(
          `--roots: ${options.roots} replaces AMD's pinned roots; certificates under other roots prove nothing about a machine`,
        )
      const result = await fetchByFlags(options, {
        clock: systemClock,
        signal: terminal.interruption(),
        progress: terminal.progress('fetching', 'answers'),
        waiting: (why, milliseconds) =>
          terminal.warn(`${why}; next attempt in ${Math.ceil(milliseconds / 1000)} s`),
      })
      for (const { product, nextUpdate, ended } of result.lists)
        if (ended) terminal.warn(`the revocation list of ${product} ended at ${nextUpdate}`)
      if (options.json === true) terminal.printJson(result)
      else terminal.print(renderFetched(result))
    })
}

function addShow(endorsements: Command, context: CommandContext): void {
  endorsements
    .command('show')
    .summary('verify the files in such a folder and show how long each is valid')
    .description(
      'Verifies each certificate and revocation list in a folder up to a pinned AMD root and shows how long it is valid. Needs no network.',
    )
    .argument('<dir>', 'the folder')
    .option('--at <time>', 'verify as of this time, for example 2026-01-31T12:00:00Z (default: now)')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker endorsements show /etc/confidential-verifier/endorsements
  confidential-worker endorsements show endorsements --at 2026-12-31T00:00:00Z --json

Exit codes
  0   all files are good
  1   a file is expired, revoked, malformed or not AMD's, or the folder is empty
  2   no such folder`,
    )
    .action(async (folder: string, options: { readonly at?: string; readonly json?: boolean }) => {
      const [{ inspectEndorsements, isSound }, { renderInspection }, { systemClock }] = await Promise.all([
        import('#adapters/sev/inspectEndorsements.ts'),
        import('./text.ts'),
        import('#adapters/system/clock.ts'),
      ])
      const at = timeOf(options.at) ?? systemClock.now()
      const inspection = await inspectEndorsements(folder, at)
      if (options.json === true) context.terminal.printJson({ sound: isSound(inspection), ...inspection })
      else context.terminal.print(renderInspection(inspection))
      context.exit(isSound(inspection) ? 0 : 1)
    })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function timeOf(text: string | undefined) {
  return text === undefined ? undefined : under('usage.invalid', () => parseRfc3339(text, '--at'))
}
