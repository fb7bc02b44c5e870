/** RSA keys and X.509 certificates, for the emulator's instance identities and the demo's TLS. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'

const MODULUS_BITS = 2048
const HOUR_MS = 3_600_000
/** Certificates begin a minute early, for a reader whose clock is a little behind. */
const BACKDATED_MS = 60_000

/** PKCS #1 in PEM. */
export async function newRsaKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
}

export function keyPairOf(privatePem: string): forge.pki.rsa.KeyPair {
  const privateKey = forge.pki.privateKeyFromPem(privatePem)
  return { privateKey, publicKey: forge.pki.rsa.setPublicKey(privateKey.n, privateKey.e) }
}

/** Signs a certificate in PEM with RSA and SHA-256. `from` is in milliseconds since the epoch. */
export function signCertificate(fields: {
  readonly subject: forge.pki.CertificateField[]
  readonly issuer: forge.pki.CertificateField[]
  readonly publicKey: forge.pki.rsa.PublicKey
  readonly signer: forge.pki.rsa.PrivateKey
  readonly from: number
  readonly hours: number
  readonly extensions: readonly object[]
}): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = fields.publicKey
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  certificate.validity.notBefore = new Date(fields.from - BACKDATED_MS)
  certificate.validity.notAfter = new Date(fields.from + fields.hours * HOUR_MS)
  certificate.setSubject(fields.subject)
  certificate.setIssuer(fields.issuer)
  certificate.setExtensions([...fields.extensions])
  certificate.sign(fields.signer, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
}
