/** The people of the demo: API keys with an OCI config file, the policy signers' keys, the audit key. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ed25519Jwk, exportJwk, P256Jwk } from '#core/jwk.ts'
import { keySigner, type QuorumRoot, type Signer } from '#core/jws.ts'
import { newRsaKey } from '#lab/emulator/identity/certificate.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import { ocidOf, REGION, SIGNERS, USERS, type UserName } from './names.ts'

/** Not `freshness`: this is the name of that user's API key. */
const FRESHNESS_KEY = 'freshness-key'

export type Identities = {
  /** The OCI config file, with one profile per user. */
  readonly ociConfig: string
  /** Public keys in PEM. */
  readonly apiKeys: Readonly<Record<UserName, string>>
  readonly signers: readonly Signer[]
  readonly providerRoot: QuorumRoot
  readonly auditJwk: P256Jwk
  readonly auditKeyFile: string
  readonly freshnessJwk: Ed25519Jwk
  readonly freshnessKeyFile: string
}

export async function createIdentities(folder: string): Promise<Identities> {
  const ociConfig = join(folder, 'oci.config')
  const auditKeyFile = join(folder, 'audit.pem')
  const users = await Promise.all(Object.keys(USERS).map((name) => createApiKey(folder, name)))
  await writeFile(ociConfig, users.map(({ profile }) => profile).join('\n'), { mode: 0o600 })
  const signers = await Promise.all(SIGNERS.map((person) => createSigner(folder, person)))
  const audit = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  await writePem(auditKeyFile, audit.privateKey)
  const freshness = await createSigner(folder, FRESHNESS_KEY)
  return {
    ociConfig,
    // One entry per key of USERS, by construction.
    apiKeys: Object.fromEntries(users.map(({ name, publicPem }) => [name, publicPem])) as Record<
      UserName,
      string
    >,
    signers,
    providerRoot: {
      keys: signers.map(({ jwk }, index) => ({ person: SIGNERS[index] ?? '', jwk })),
      threshold: 2,
    },
    auditJwk: P256Jwk.parse(exportJwk(audit.publicKey)),
    auditKeyFile,
    freshnessJwk: Ed25519Jwk.parse(freshness.jwk),
    freshnessKeyFile: join(folder, `${FRESHNESS_KEY}.pem`),
  }
}

export async function readPrivateKey(file: string): Promise<KeyObject> {
  return createPrivateKey(await readFile(file))
}

async function createApiKey(folder: string, name: string) {
  const privatePem = await newRsaKey()
  const file = join(folder, `${name}.pem`)
  await writeFile(file, privatePem, { mode: 0o600 })
  const publicKey = createPublicKey(privatePem)
  const { tenancy } = USERS[name as UserName].tenancy
  const profile = [
    `[${name}]`,
    `tenancy=${tenancy}`,
    `user=${ocidOf('user', name)}`,
    `fingerprint=${fingerprintOf(publicKey)}`,
    `key_file=${file}`,
    `region=${REGION}`,
    '',
  ].join('\n')
  return { name, profile, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

async function createSigner(folder: string, person: string): Promise<Signer> {
  const { privateKey } = await promisify(generateKeyPair)('ed25519')
  await writePem(join(folder, `${person}.pem`), privateKey)
  return keySigner(privateKey)
}

async function writePem(file: string, key: KeyObject): Promise<void> {
  await writeFile(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
}
