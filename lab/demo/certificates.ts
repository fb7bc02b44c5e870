/**
 * TLS between workers and Verifier, made with the work of the `enrol` commands: one authority for workers, one
 * for Verifiers, each with a key in a file; and a request, a certificate and a list on each side. TLS does
 * not decide who gets a key: attestation does.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#adapters/system/clock.ts'
import { replaceFile } from '#adapters/system/files.ts'
import { type Purpose, type Subject, signAuthority } from '#cli/enrol/certificate.ts'
import { createAuthority, type Enrolment, issue, renew } from '#cli/enrol/enrolment.ts'
import { openRegister } from '#cli/enrol/register.ts'
import { createRequest, readRequest } from '#cli/enrol/request.ts'
import { openSigner } from '#cli/services.ts'
import { CodedError } from '#core/errors.ts'
import { addSeconds } from '#core/time.ts'

const DAYS = 30
/** In seconds. */
const HOUR = 3600
const DAY = 24 * HOUR

/** Paths of PEM files. */
type TlsIdentity = { readonly cert: string; readonly key: string }
type TrustFiles = { readonly ca: string; readonly crl: string }
export type TlsFiles = {
  /** The authority of Verifiers, for workers, and the other way round. */
  readonly verifiers: TrustFiles
  readonly workers: TrustFiles
  readonly server: TlsIdentity
  readonly clients: ReadonlyMap<string, TlsIdentity>
}

export async function issueTlsFiles(
  folder: string,
  clients: readonly { readonly name: string }[],
): Promise<TlsFiles> {
  const [verifiers, workers] = await Promise.all([
    newAuthority(folder, 'verifiers', 'serverAuth'),
    newAuthority(folder, 'workers', 'clientAuth'),
  ])
  const clientFiles = clients.map(
    async ({ name }) => [name, await certify(folder, workers, { name, dns: [], ip: [] })] as const,
  )
  return {
    verifiers: trustFiles(folder, 'verifiers'),
    workers: trustFiles(folder, 'workers'),
    server: await certify(folder, verifiers, { name: 'verifier', dns: ['localhost'], ip: ['127.0.0.1'] }),
    clients: new Map(await Promise.all(clientFiles)),
  }
}

/** Replaces the Verifier's certificate by one for the same key that lives this long. */
export async function renewServerCertificate(folder: string, days = DAYS): Promise<void> {
  await renewCertificate(folder, 'verifiers', { name: 'verifier', days })
}

/** The same for a worker's certificate. */
export async function renewClientCertificate(folder: string, worker: string, days = DAYS): Promise<void> {
  await renewCertificate(folder, 'workers', { name: worker, days })
}

/** The same for the certificates of both authorities: what they have issued stays valid under these. */
export async function renewAuthorities(folder: string, days = 2 * DAYS): Promise<void> {
  for (const role of ['workers', 'verifiers'] as const) {
    const { register, signer, now } = await openAuthority(folder, role)
    const { name, purpose } = await register.authority()
    const period = { notBefore: addSeconds(now, -HOUR), notAfter: addSeconds(now, Math.floor(days * DAY)) }
    // Positive, and of 16 bytes.
    const serial = Buffer.concat([Buffer.of(64), randomBytes(15)])
    const certificate = await signAuthority({ name, purpose, signer }, serial, period)
    await replaceFile(trustFiles(folder, role).ca, certificate)
  }
}

async function renewCertificate(
  folder: string,
  role: Role,
  { name, days }: { readonly name: string; readonly days: number },
): Promise<void> {
  const cert = join(folder, `${name}.pem`)
  const { serialNumber } = new X509Certificate(await readFile(cert))
  const authority = await openAuthority(folder, role)
  const { certificate } = await renew(authority, serialNumber.toLowerCase(), { key: undefined, days })
  await replaceFile(cert, certificate)
}

type Role = 'workers' | 'verifiers'

async function newAuthority(folder: string, role: Role, purpose: Purpose): Promise<Enrolment> {
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeFile(keyFile(folder, role), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  await mkdir(registerOf(folder, role))
  const authority = await openAuthority(folder, role)
  await createAuthority(authority, { name: `Hospital ${role}`, purpose, days: 2 * DAYS, listDays: DAYS })
  return authority
}

async function openAuthority(folder: string, role: Role): Promise<Enrolment> {
  const key = { kind: 'file', path: keyFile(folder, role) } as const
  const signer = await openSigner(key, 'key', () => {
    throw new CodedError('internal.fault', "the demo's authorities have keys in files")
  })
  return { register: openRegister(registerOf(folder, role)), signer, now: systemClock.now() }
}

/** What both sides do: the request of one is the other's input. */
async function certify(folder: string, authority: Enrolment, subject: Subject): Promise<TlsIdentity> {
  const { key, request } = createRequest(subject.name)
  const requested: KeyObject = readRequest(Buffer.from(request))
  const { certificate } = await issue(authority, { key: requested, subject, days: DAYS })
  const files = { cert: join(folder, `${subject.name}.pem`), key: join(folder, `${subject.name}.key`) }
  await writeFile(files.cert, certificate)
  await writeFile(files.key, key, { mode: 0o600 })
  return files
}

function registerOf(folder: string, role: Role): string {
  return join(folder, `authority-${role}`)
}

function keyFile(folder: string, role: Role): string {
  return join(folder, `authority-${role}.key`)
}

function trustFiles(folder: string, role: Role): TrustFiles {
  return {
    ca: join(registerOf(folder, role), 'authority.pem'),
    crl: join(registerOf(folder, role), 'crl.pem'),
  }
}
