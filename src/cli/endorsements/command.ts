/** `endorsements fetch` and `endorsements show`, as they are typed. */
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
    .description(
      "AMD's certificates and revocation lists in a folder, for Verifier, worker and report verify.",
    )
  addFetch(endorsements, context)
  addShow(endorsements, context)
}

function addFetch(endorsements: Command, context: CommandContext): void {
  endorsements
    .command('fetch')
    .summary("bring AMD's certificates and revocation lists into a folder")
    .description(
      "Asks AMD's key distribution service for ARK, ASK, ASVK and revocation list of each product and, with --report, for the VCEK of the report's chip and TCB. Each is verified up to AMD's pinned root before it is written; a revocation list is never replaced by an older one.",
    )
    .requiredOption('--to <dir>', 'the folder: <Product>/{ark,ask,asvk,crl}.der and <Product>/vcek/…')
    .option(
      '--product <name>',
      'Milan, Genoa or Turin; may be given several times (default: that of the report, or all)',
      collect,
      [],
    )
    .option('--report <file>', 'a report, 1184 bytes: fetch the certificate of its key, too')
    .option('--kds <url>', 'another key distribution service, such as a mirror', KDS_ORIGIN)
    .option('--roots <dir>', "other roots than AMD's, for a simulation: <Product>/ark.der")
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker endorsements fetch --to /etc/confidential-verifier/endorsements --product Genoa --product Turin
  confidential-worker endorsements fetch --to endorsements --report report.bin
  confidential-worker report verify --report report.bin --certs endorsements/Genoa/vcek --crl endorsements/Genoa/crl.der

Exit codes
  0 all there, and verified   1 not AMD's, revoked, or older than what is there
  2 a file is not what it should be, or cannot be written   75 the service cannot be had now, or does not know this key (yet)`,
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
          `--roots: AMD's pinned roots are replaced by those in ${options.roots}; what is fetched under them proves nothing about a machine`,
        )
      const result = await fetchByFlags(options, {
        clock: systemClock,
        signal: terminal.interruption(),
        progress: terminal.progress('fetched', 'answers'),
        waiting: (why, milliseconds) =>
          terminal.warn(`${why}; asked again in ${Math.ceil(milliseconds / 1000)} s`),
      })
      for (const { product, nextUpdate, ended } of result.lists)
        if (ended) terminal.warn(`the revocation list of ${product} has ended at ${nextUpdate}`)
      if (options.json === true) terminal.printJson(result)
      else terminal.print(renderFetched(result))
    })
}

function addShow(endorsements: Command, context: CommandContext): void {
  endorsements
    .command('show')
    .summary('what lies in such a folder, and what is expired, revoked or not AMD’s')
    .description(
      'Verifies each certificate and revocation list of a folder up to a pinned AMD root, and shows how long it is good. Needs no network.',
    )
    .argument('<dir>', 'the folder')
    .option('--at <time>', 'as of this time, such as 2026-01-31T12:00:00Z (default: now)')
    .option('--json', 'print it as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker endorsements show /etc/confidential-verifier/endorsements
  confidential-worker endorsements show endorsements --at 2026-12-31T00:00:00Z --json

Exit codes
  0 all good   1 something is expired, revoked, not AMD's or no certificate, or there is nothing   2 no such folder`,
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
