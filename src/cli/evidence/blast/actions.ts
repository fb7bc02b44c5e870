/** `evidence blast-radius`: how far something bad reached, and what to do about it. */
import { counted } from '#cli/evidence/page/parts.ts'
import { timeText } from '#cli/policy/words.ts'
import type { CommandContext } from '#cli/terminal.ts'
import type { BlastActions } from './command.ts'
import { type Reach, reachOf } from './reach.ts'

export function blastActions({ terminal, exit }: CommandContext): BlastActions {
  return {
    blastRadius: async (dir, subject, options) => {
      const reach = await reachOf(dir, subject, options)
      if (options.json === true) terminal.printJson(reach)
      else terminal.print(reachText(reach))
      if (reach.verdict !== 'intact') {
        terminal.warn(`the evidence is ${reach.verdict}; "evidence verify" says why`)
        exit(1)
      }
    },
  }
}

function reachText(reach: Reach): string {
  const { subject, releases, objects, results, unknown } = reach
  const clients = new Set(releases.map(({ client }) => client))
  const boots = new Set(releases.map(({ boot }) => boot))
  const sections = [
    [
      `${subject.kind} ${subject.id}`,
      `${counted(releases.length, 'release')} to ${counted(boots.size, 'boot')} of ${counted(clients.size, 'client')}, of ${counted(objects.length, 'object')}, with ${counted(results.length, 'result')}`,
      ...(unknown === 0
        ? []
        : [
            `the chip of ${counted(unknown, 'release')} is not known: the recorded request is not in the folder`,
          ]),
    ],
    titled(
      'Releases',
      releases.map(
        ({ releaseId, time, client, dataset, permission, status, headerDigests }) =>
          `${timeText(time)}  ${releaseId}  ${client}  ${dataset}  ${permission}  ${counted(headerDigests.length, 'object')}  ${status}`,
      ),
    ),
    titled(
      'Objects',
      objects.map(
        ({ headerDigest, dataset, sealId }) =>
          `${sealId ?? 'no seal record'}  ${dataset}  header ${headerDigest}`,
      ),
    ),
    titled('Results', results),
    titled('What to do', releases.length === 0 ? ['nothing: no release touched it'] : remedies(reach)),
  ]
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

/** First what stops further releases, then what makes the past ones harmless. */
function remedies({ subject, releases, objects, results }: Reach): readonly string[] {
  const references = [...new Set(releases.map(({ reference }) => reference))]
  const permissions = [...new Set(releases.map(({ permission }) => permission))]
  const sealIds = objects.flatMap(({ sealId }) => sealId ?? [])
  const stop = {
    measurement: `revoke ${references.map((id) => `--reference ${id}`).join(' ')}`,
    chip: `revoke ${[...new Set(releases.map(({ boot }) => boot))].map((id) => `--boot ${id}`).join(' ')}, and list the other chips in the reference values`,
    boot: `revoke --boot ${subject.id}`,
    client: `revoke ${permissions.map((id) => `--permission ${id}`).join(' ')}`,
    seal: `revoke --seal-id ${subject.id}`,
    key: `revoke ${permissions.map((id) => `--permission ${id}`).join(' ')}, and rotate the key`,
  }[subject.kind]
  return [
    `stop further releases: confidential-worker ${stop}`,
    ...(sealIds.length === 0
      ? []
      : [
          `seal ${counted(sealIds.length, 'object')} anew, and revoke the old: --seal-id for each under Objects`,
        ]),
    ...(results.length === 0
      ? []
      : [`tell the recipients that ${counted(results.length, 'result')} above must be judged anew`]),
    'what was read in the clear cannot be taken back: judge it as a disclosure of these objects',
  ]
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]
}
