/**
 * TLS between workers and Verifier: the provider's CA, a server certificate for loopback, and one client
 * certificate per registered worker. RSA, because node-forge signs with nothing else. TLS does not decide who
 * gets a key: attestation does.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type forge from 'node-forge'
import { replaceFile } from '#adapters/system/files.ts'
import { keyPairOf, newRsaKey, signCertificate } from '#lab/emulator/identity/certificate.ts'

const HOURS = 30 * 24
const CA_KEY = 'ca.key'

/** Paths of PEM files. */
type TlsIdentity = { readonly cert: string; readonly key: string }
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
  if (ca === undefined || server === undefined) throw new RangeError('the CA and the server have no key')
  const caFile = join(folder, 'ca.pem')
  await writeFile(join(folder, CA_KEY), ca.keyPem, { mode: 0o600 })
  await writeFile(caFile, sign(ca, ca, [{ name: 'basicConstraints', cA: true, critical: true }, CA_USAGE]))
  const clientFiles = workers.map(
    async (worker) =>
      [worker.name, await write(folder, worker, ca, [{ name: 'extKeyUsage', clientAuth: true }])] as const,
  )
  return {
    ca: caFile,
    server: await write(folder, server, ca, SERVER_EXTENSIONS),
    clients: new Map(await Promise.all(clientFiles)),
  }
}

/** Replaces the Verifier's certificate by one for the same key that lives this long. */
export async function renewServerCertificate(folder: string, hours = HOURS): Promise<void> {
  const [ca, server] = await Promise.all([
    readSubject('provider-ca', join(folder, CA_KEY)),
    readSubject('verifier', join(folder, 'verifier.key')),
  ])
  await replaceFile(join(folder, 'verifier.pem'), sign(server, ca, [LEAF_USAGE, ...SERVER_EXTENSIONS], hours))
}

const SERVER_EXTENSIONS = [
  { name: 'extKeyUsage', serverAuth: true },
  {
    name: 'subjectAltName',
    altNames: [
      { type: 2, value: 'localhost' },
      { type: 7, ip: '127.0.0.1' },
    ],
  },
]
const CA_USAGE = { name: 'keyUsage', keyCertSign: true, critical: true }
const LEAF_USAGE = { name: 'keyUsage', digitalSignature: true, critical: true }

async function newSubject(name: string): Promise<Subject> {
  const keyPem = await newRsaKey()
  return { name, keyPem, key: keyPairOf(keyPem) }
}

async function readSubject(name: string, keyFile: string): Promise<Subject> {
  const keyPem = await readFile(keyFile, 'utf8')
  return { name, keyPem, key: keyPairOf(keyPem) }
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

function sign(subject: Subject, issuer: Subject, extensions: readonly object[], hours = HOURS): string {
  return signCertificate({
    subject: [{ shortName: 'CN', value: subject.name }],
    issuer: [{ shortName: 'CN', value: issuer.name }],
    publicKey: subject.key.publicKey,
    signer: issuer.key.privateKey,
    from: Date.now(),
    hours,
    extensions,
  })
}
