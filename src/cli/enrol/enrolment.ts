/** The work of a CA between two organisations: issues, renews and revokes certificates. */
import { createHash, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { exportJwk, thumbprint } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { addSeconds, toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import {
  type Issuer,
  type Purpose,
  type Reason,
  type Subject,
  signAuthority,
  signLeaf,
  signRevocationList,
} from './certificate.ts'
import type { Authority, Issued, Mark, Register } from './register.ts'

const DAY_SECONDS = 86_400
/** Certificates begin this much early, for a reader whose clock is a little behind. */
const BACKDATED_SECONDS = 300
/** OpenSSL and others compare host names of this form. */
const DNS = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export type Enrolment = { readonly register: Register; readonly signer: Signer; readonly now: UnixSeconds }

/** Creates the CA's certificate and its first, empty list. Throws `output.exists`. */
export async function createAuthority(
  { register, signer, now }: Enrolment,
  ca: { readonly name: string; readonly purpose: Purpose; readonly days: number; readonly listDays: number },
): Promise<Authority> {
  const { name, purpose, days, listDays } = ca
  const period = periodOf(now, days)
  const certificate = await signAuthority({ name, purpose, signer }, newSerial(), period)
  const authority: Authority = { v: 1, name, purpose, certificate, notAfter: period.notAfter }
  await register.create(authority)
  await publishList({ register, signer, now }, listDays)
  return authority
}

/**
 * Certifies a key for a subject. Throws `enrolment.revoked` for a key that was revoked as compromised,
 * `usage.invalid` for a subject that does not suit the CA or a life beyond the CA's.
 */
export async function issue(
  enrolment: Enrolment,
  certified: { readonly key: KeyObject; readonly subject: Subject; readonly days: number },
  renews: string | null = null,
): Promise<Issued> {
  const { register, now } = enrolment
  const { key, subject, days } = certified
  const { issuer, notAfter } = await openIssuer(enrolment)
  expectSubject(subject, issuer.purpose)
  const digest = digestOf(key)
  await expectUncompromised(digest, register)
  const period = periodOf(now, days)
  if (period.notAfter > notAfter)
    throw new CodedError(
      'usage.invalid',
      `--days: the certificate would outlive its CA, which has ${Math.floor((notAfter - now) / DAY_SECONDS)} days left`,
    )
  const serial = newSerial()
  const issued: Issued = {
    v: 1,
    serial: toHex(serial),
    name: subject.name,
    dns: [...subject.dns],
    ip: [...subject.ip],
    key: digest,
    ...period,
    renews,
    certificate: await signLeaf(issuer, subject, { key, serial, ...period }),
  }
  await register.add(issued)
  return issued
}

/**
 * Issues a certificate for the subject of an earlier one, with the same key or, better, a new one. Throws
 * `enrolment.unknown`, `enrolment.revoked`.
 */
export async function renew(
  enrolment: Enrolment,
  serial: string,
  { key, days }: { readonly key: KeyObject | undefined; readonly days: number },
): Promise<Issued> {
  const { register } = enrolment
  const earlier = await findIssued(serial, register)
  const mark = (await register.revoked()).find((each) => each.serial === serial)
  if (mark !== undefined)
    throw new CodedError('enrolment.revoked', `the certificate ${serial} is revoked (${mark.reason})`)
  const { name, dns, ip, certificate } = earlier
  return await issue(
    enrolment,
    { key: key ?? new X509Certificate(certificate).publicKey, subject: { name, dns, ip }, days },
    serial,
  )
}

/** Revokes a certificate and publishes a list. A second time it only publishes one. */
export async function revoke(
  enrolment: Enrolment,
  serial: string,
  { reason, listDays }: { readonly reason: Reason; readonly listDays: number },
): Promise<{ readonly mark: Mark; readonly number: number }> {
  const { register, now } = enrolment
  await openIssuer(enrolment)
  await findIssued(serial, register)
  const marked = (await register.revoked()).find((mark) => mark.serial === serial)
  const mark: Mark = marked ?? { v: 1, serial, at: now, reason }
  if (marked === undefined) await register.mark(mark)
  return { mark, number: await publishList(enrolment, listDays) }
}

/** Publishes a list of all that is revoked. It is needed before the last one ends. Returns its number. */
export async function publishList(enrolment: Enrolment, days: number): Promise<number> {
  const { register, now } = enrolment
  const { issuer } = await openIssuer(enrolment)
  return await register.publish((number, marks) =>
    signRevocationList(issuer, {
      number,
      thisUpdate: addSeconds(now, -BACKDATED_SECONDS),
      nextUpdate: addSeconds(now, days * DAY_SECONDS),
      revoked: marks.map(({ serial, at, reason }) => ({ serial, at: toUnixSeconds(at), reason })),
    }),
  )
}

export type Standing = Issued & { readonly state: 'current' | 'revoked' | 'expired' | 'renewed' }

/** The certificates, the first to end first. A current one whose successor is current too is `renewed`. */
export async function listCertificates({
  register,
  now,
}: Pick<Enrolment, 'register' | 'now'>): Promise<readonly Standing[]> {
  const [issued, marks] = [await register.issued(), await register.revoked()]
  const revoked = new Set(marks.map(({ serial }) => serial))
  const holds = ({ serial, notAfter }: Issued) => !revoked.has(serial) && notAfter > now
  const successors = new Set(issued.filter(holds).map(({ renews }) => renews))
  const stateOf = (each: Issued): Standing['state'] => {
    if (revoked.has(each.serial)) return 'revoked'
    if (each.notAfter <= now) return 'expired'
    return successors.has(each.serial) ? 'renewed' : 'current'
  }
  return issued.map((each) => ({ ...each, state: stateOf(each) })).toSorted((a, b) => a.notAfter - b.notAfter)
}

/** Throws `config.invalid` for a key that is not the CA's: a Vault key that was rotated, or another file. */
async function openIssuer({ register, signer }: Enrolment): Promise<{ issuer: Issuer; notAfter: number }> {
  const { name, purpose, certificate, notAfter } = await register.authority()
  const own = exportJwk(new X509Certificate(certificate).publicKey)
  if (thumbprint(own) !== thumbprint(signer.jwk))
    throw new CodedError(
      'config.invalid',
      'key: it is not the key of authority.pem; after a rotation create a new authority in another folder',
    )
  return { issuer: { name, purpose, signer }, notAfter }
}

function expectSubject({ dns, ip }: Subject, purpose: Purpose): void {
  const wrong = dns.find((host) => !DNS.test(host) || isIP(host) !== 0) ?? ip.find((text) => isIP(text) === 0)
  if (wrong !== undefined)
    throw new CodedError(
      'usage.invalid',
      `${JSON.stringify(wrong)} is no host name for --dns or address for --ip`,
    )
  const hasAddress = dns.length + ip.length > 0
  if (purpose === 'serverAuth' && !hasAddress)
    throw new CodedError('usage.invalid', 'a Verifier needs --dns or --ip: workers compare it with their URL')
  if (purpose === 'clientAuth' && hasAddress)
    throw new CodedError(
      'usage.invalid',
      '--dns and --ip are for Verifiers; this authority certifies workers',
    )
}

async function expectUncompromised(key: string, register: Register): Promise<void> {
  const marks = (await register.revoked()).filter(({ reason }) => reason === 'key-compromise')
  const lost = (await register.issued()).find(
    (each) => each.key === key && marks.some(({ serial }) => serial === each.serial),
  )
  if (lost !== undefined)
    throw new CodedError(
      'enrolment.revoked',
      `the key was revoked as compromised with the certificate ${lost.serial}`,
    )
}

async function findIssued(serial: string, register: Register): Promise<Issued> {
  const found = (await register.issued()).find((each) => each.serial === serial)
  if (found !== undefined) return found
  throw new CodedError('enrolment.unknown', `this authority has issued no certificate ${serial}`)
}

function periodOf(now: UnixSeconds, days: number) {
  return {
    notBefore: addSeconds(now, -BACKDATED_SECONDS),
    notAfter: addSeconds(now, Math.round(days * DAY_SECONDS)),
  }
}

/** 127 random bits, positive and of 16 bytes. */
function newSerial(): Buffer {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}

function digestOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}
