/** The results of the enrolment commands for people. */
import { columns } from '#cli/textBlock.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import type { Standing } from './enrolment.ts'
import type { Authority, Issued, Mark } from './register.ts'

const USE: Readonly<Record<Authority['purpose'], readonly [string, string]>> = {
  clientAuth: ['tls.clientCa of every Verifier', 'tls.clientCrl of every Verifier'],
  serverAuth: ['verifier.ca of every worker', 'verifier.crl of every worker'],
}

export function renderAuthority(
  { name, purpose, notAfter }: Authority,
  files: { readonly certificate: string; readonly crl: string },
): string {
  const [ca, crl] = USE[purpose]
  return lines([
    ['authority', `${name}, until ${day(notAfter)}`],
    ['certificate', `${files.certificate}: ${ca}`],
    ['list', `${files.crl}: ${crl}`],
    ['next', 'back the folder up; write the list again before it ends (enrol crl)'],
  ])
}

export function renderRequest(key: string, request: string): string {
  return lines([
    ['key', `${key}: keep it here, no one else needs it`],
    ['request', `${request}: send it to the authority`],
  ])
}

export function renderIssued({ name, serial, dns, ip, notAfter }: Issued, file: string): string {
  const addresses = [...dns, ...ip]
  return lines([
    ['certificate', `${file}: ${[name, ...addresses].join(', ')}`],
    ['serial', serial],
    ['until', day(notAfter)],
  ])
}

export function renderRevoked({ serial, at, reason }: Mark): string {
  return lines([['revoked', `${serial} at ${toRfc3339(toUnixSeconds(at))} (${reason})`]])
}

export function renderPublished(number: number, crl: string): string {
  return lines([
    ['list', `${crl}, number ${number}`],
    ['next', 'copy it to every program that checks it; they read it within 30 seconds'],
  ])
}

export function renderList(shown: readonly Standing[], now: UnixSeconds): string {
  if (shown.length === 0) return 'no certificate\n'
  const rows = shown.map(({ name, serial, state, notAfter }) => [
    name,
    serial,
    state,
    day(notAfter),
    `${Math.floor((notAfter - now) / 86_400)} days`,
  ])
  return `${columns([['name', 'serial', 'state', 'until', 'left'], ...rows])}\n`
}

function lines(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([label, value]) => `${label.padEnd(13)}${value}\n`).join('')
}

function day(seconds: number): string {
  return toRfc3339(toUnixSeconds(seconds))
}
