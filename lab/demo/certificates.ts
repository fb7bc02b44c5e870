/**
 * TLS between workers and Verifier: a CA of the provider's, a server certificate for loopback, a client certificate
 * for each registered worker. RSA, since that is what node-forge's pki can sign; who may have a key is decided by
 * attestation, not here.
 */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import forge from 'node-forge'

const HOURS = 30 * 24
const MODULUS_BITS = 2048

/** Paths of PEM files. */
export type TlsIdentity = { readonly cert: string; readonly key: string }
export type TlsFiles = {
  readonly ca: string
  readonly server: TlsIdentity
  readonly clients: ReadonlyMap<string, TlsIdentity>
}

type Subject = { readonly name: string; readonly key: forge.pki.rsa.KeyPair; readonly keyPem: string }

export async function issueTlsFiles(
  folder: string,
  clients: readonly { readonly name: string }[],
): Promise<TlsFiles> {
  const [ca, server, ...workers] = await Promise.all(
    ['provider-ca', 'verifier', ...clients.map(({ name }) => name)].map(newSubject),
  )
  if (ca === undefined || server === undefined) throw new RangeError('a CA and a server were asked for')
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, sign(ca, ca, [{ name: 'basicConstraints', cA: true, critical: true }, CA_USAGE]))
  return {
    ca: caFile,
    server: await write(folder, server, ca, [
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ]),
    clients: new Map(
      await Promise.all(
        workers.map(
          async (worker) =>
            [
              worker.name,
              await write(folder, worker, ca, [{ name: 'extKeyUsage', clientAuth: true }]),
            ] as const,
        ),
      ),
    ),
  }
}

const CA_USAGE = { name: 'keyUsage', keyCertSign: true, critical: true }
const LEAF_USAGE = { name: 'keyUsage', digitalSignature: true, critical: true }

async function newSubject(name: string): Promise<Subject> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
  const keyPem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const key = forge.pki.privateKeyFromPem(keyPem)
  return { name, keyPem, key: { privateKey: key, publicKey: forge.pki.rsa.setPublicKey(key.n, key.e) } }
}

async function write(
  folder: string,
  subject: Subject,
  ca: Subject,
  extensions: readonly object[],
): Promise<TlsIdentity> {
  const cert = join(folder, `${subject.name}.pem`)
  const key = join(folder, `${subject.name}.key`)
  await writeFile(cert, sign(subject, ca, [LEAF_USAGE, ...extensions]))
  await writeFile(key, subject.keyPem, { mode: 0o600 })
  return { cert, key }
}

function sign(subject: Subject, issuer: Subject, extensions: readonly object[]): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = subject.key.publicKey
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  // A minute back, for a reader whose clock is a little behind.
  certificate.validity.notBefore = new Date(Date.now() - 60_000)
  certificate.validity.notAfter = new Date(Date.now() + HOURS * 3_600_000)
  certificate.setSubject([{ shortName: 'CN', value: subject.name }])
  certificate.setIssuer([{ shortName: 'CN', value: issuer.name }])
  certificate.setExtensions([...extensions])
  certificate.sign(issuer.key.privateKey, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
}
