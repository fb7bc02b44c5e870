/** The results of the `endorsements` commands for people. */
import type { FetchResult } from '#adapters/sev/fetchEndorsements.ts'
import { type Inspection, isSound } from '#adapters/sev/inspectEndorsements.ts'
import type { InspectedFile } from '#adapters/sev/inspectedFile.ts'
import { columns } from '#cli/textBlock.ts'

/** Enough of a fingerprint to tell two apart; the JSON has the whole. */
const FINGERPRINT_DIGITS = 16

export function renderFetched({ to, kds, files, lists }: FetchResult): string {
  const written = files.filter(({ status }) => status === 'written').length
  return [
    `${written} of ${files.length} files written to ${to}, from ${kds}; all verified up to the roots`,
    '',
    columns(files.map(({ file, status, sha256 }) => [status, file, `sha256 ${short(sha256)}`])),
    '',
    ...lists.map(
      ({ product, number, nextUpdate, ended, revoked }) =>
        `${product}: revocation list ${decimal(number)}, ${ended ? 'ENDED' : 'valid until'} ${nextUpdate}, ${revokedText(revoked)}`,
    ),
    '',
  ].join('\n')
}

export function renderInspection(inspection: Inspection): string {
  const { folder, at, files } = inspection
  const bad = files.filter(({ state }) => state !== 'good')
  return [
    `${isSound(inspection) ? 'SOUND' : 'NOT SOUND'}  ${folder} at ${at}: ${summary(inspection, bad.length)}`,
    '',
    ...(files.length === 0 ? [] : [table(files), '']),
    ...(bad.some(({ state }) => state === 'simulated') ? [SIMULATED] : []),
    ...bad.flatMap(({ file, problem }) =>
      problem === null ? [] : [`${file}: ${problem.message} (${problem.code})`],
    ),
    ...(bad.length === 0 ? [] : ['']),
  ].join('\n')
}

const SIMULATED =
  "simulated: verified, but under a root that is not AMD's, which proves nothing about a machine"

function summary({ files }: Inspection, bad: number): string {
  if (files.length === 0) return 'the folder has no endorsements'
  return bad === 0 ? `${files.length} files, all good` : `${bad} of ${files.length} files are not good`
}

function table(files: readonly InspectedFile[]): string {
  return columns([
    ['state', 'file', 'subject', 'serial', 'sha256', 'from', 'to', 'days left', ''],
    ...files.map((file) => [
      file.state,
      shortened(file.file),
      file.subject ?? '',
      file.serial ?? '',
      short(file.sha256),
      day(file.validFrom),
      day(file.validTo),
      file.daysLeft === null ? '' : String(file.daysLeft),
      remark(file),
    ]),
  ])
}

function remark({ pinned, crl }: InspectedFile): string {
  if (crl !== null) return `number ${decimal(crl.number)}, ${revokedText(crl.revoked)}`
  return pinned === null ? '' : pinned ? "AMD's own" : "not AMD's"
}

function revokedText(serials: readonly string[]): string {
  return serials.length === 0 ? 'nothing revoked' : `revoked: ${serials.join(', ')}`
}

function decimal(hex: string): string {
  return BigInt(`0x${hex}`).toString()
}

/** Shortens the chip id in a file's name, which has up to 64 bytes. */
function shortened(file: string): string {
  return file.replace(/([0-9a-f]{12})[0-9a-f]{16,}/, '$1…')
}

function short(sha256: string): string {
  return `${sha256.slice(0, FINGERPRINT_DIGITS)}…`
}

function day(time: string | null): string {
  return time?.slice(0, 10) ?? ''
}
