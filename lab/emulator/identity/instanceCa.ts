/**
 * The certificate authority behind instance identities: an RSA root made on first start, and short-lived leafs whose
 * subject says which instance of which tenancy holds them, as OCI's metadata service hands them out.
 */
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import forge from 'node-forge'
import { syncFolder } from '#lab/emulator/journal.ts'
import type { Principal } from '#lab/emulator/service.ts'

const LEAF_HOURS = 24
const ROOT_YEARS = 10
const newKeyPair = promisify(generateKeyPair)

export type Leaf = { readonly certificate: string; readonly privateKey: string }

export type Authority = {
  readonly certificate: X509Certificate
  readonly issue: (instance: Principal, now: number) => Promise<Leaf>
}

export async function openAuthority(folder: string, now: number): Promise<Authority> {
  const keyPem = await keep(join(folder, 'authority.key'), newRsaKey)
  const key = forge.pki.privateKeyFromPem(keyPem)
  const issuer = [
    { shortName: 'O', value: 'emulator' },
    { shortName: 'CN', value: 'emulator instance identity' },
  ]
  const publicKey = forge.pki.rsa.setPublicKey(key.n, key.e)
  const certificatePem = await keep(join(folder, 'authority.pem'), async () =>
    sign({
      subject: issuer,
      issuer,
      publicKey,
      signer: key,
      from: now,
      hours: ROOT_YEARS * 365 * 24,
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, critical: true },
      ],
    }),
  )
  return {
    certificate: new X509Certificate(certificatePem),
    issue: async (instance, at) => {
      const privateKey = await newRsaKey()
      const leafKey = forge.pki.privateKeyFromPem(privateKey)
      const certificate = sign({
        subject: [
          { shortName: 'CN', value: instance.id },
          { shortName: 'OU', value: 'opc-certtype:instance' },
          { shortName: 'OU', value: `opc-compartment:${instance.compartmentId}` },
          { shortName: 'OU', value: `opc-instance:${instance.id}` },
          { shortName: 'OU', value: `opc-tenant:${instance.tenancyId}` },
        ],
        issuer,
        publicKey: forge.pki.rsa.setPublicKey(leafKey.n, leafKey.e),
        signer: key,
        from: at,
        hours: LEAF_HOURS,
        extensions: [{ name: 'keyUsage', digitalSignature: true, critical: true }],
      })
      return { certificate, privateKey }
    },
  }
}

/** Reads a file, or makes it durable with what `make` gives. */
export async function keep(file: string, make: () => Promise<string>): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const text = await make()
  await replaceFile(file, text)
  return text
}

/** Atomically: a reader sees the old text or the new one, and after a crash one of them is there. */
export async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncFolder(dirname(file))
}

export async function newRsaKey(): Promise<string> {
  const { privateKey } = await newKeyPair('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
}

function sign(fields: {
  readonly subject: forge.pki.CertificateField[]
  readonly issuer: forge.pki.CertificateField[]
  readonly publicKey: forge.pki.rsa.PublicKey
  readonly signer: forge.pki.rsa.PrivateKey
  readonly from: number
  readonly hours: number
  readonly extensions: object[]
}): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = fields.publicKey
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  // A minute back, for a reader whose clock is a little behind.
  certificate.validity.notBefore = new Date(fields.from - 60_000)
  certificate.validity.notAfter = new Date(fields.from + fields.hours * 3_600_000)
  certificate.setSubject(fields.subject)
  certificate.setIssuer(fields.issuer)
  certificate.setExtensions(fields.extensions)
  certificate.sign(fields.signer, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
}
