/**
 * The configured keys. Their material is created on first start and is durable before any client can use it.
 */
import {
  createPrivateKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { ocid } from '#core/fields.ts'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { openJournal } from '#lab/emulator/journal.ts'
import { notAuthorizedOrNotFound, type ServiceContext } from '#lab/emulator/service.ts'

type KeyConfig = EmulatorConfig['keys'][number]

export type KeyVersion = {
  readonly id: string
  /** The secret key, or the private key of a pair. */
  readonly material: KeyObject
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

export type VaultKey = KeyConfig & {
  /** The newest is last; never empty. */
  readonly versions: readonly KeyVersion[]
}

export type Keyring = {
  /** Throws OCI's 404 for a key that does not exist. */
  readonly key: (id: string) => VaultKey
  /** Gives the key a new version, which is then its current one. Returns its OCID; undefined without such a key. */
  readonly rotate: (id: string) => string | undefined
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

const Entry = z.strictObject({
  keyId: ocid,
  versionId: ocid,
  createdAt: z.int(),
  /** The secret key in base64, or a private key as PKCS #8 PEM. */
  material: z.string(),
})
type Entry = z.output<typeof Entry>

export async function openKeyring({ config, folder, now }: ServiceContext): Promise<Keyring> {
  const entries: Entry[] = []
  const journal = await openJournal({
    file: join(folder, 'keys.journal'),
    schema: Entry,
    replay: (entry) => entries.push(entry),
    snapshot: () => entries,
  })
  const addVersion = ({ id: keyId, shape }: KeyConfig): string => {
    const versionId = `ocid1.keyversion.oc1..${randomBytes(16).toString('hex')}`
    const entry = { keyId, versionId, createdAt: now(), material: makeMaterial(shape) }
    journal.append(entry)
    entries.push(entry)
    return versionId
  }
  for (const keyConfig of config.keys)
    if (!entries.some(({ keyId }) => keyId === keyConfig.id)) addVersion(keyConfig)
  await journal.flushed()

  const keyOf = (keyConfig: KeyConfig): VaultKey => {
    const versions = entries
      .filter(({ keyId }) => keyId === keyConfig.id)
      .map(({ versionId, createdAt, material }) => ({
        id: versionId,
        createdAt,
        material:
          keyConfig.shape.algorithm === 'AES'
            ? createSecretKey(material, 'base64')
            : createPrivateKey(material),
      }))
    return { ...keyConfig, versions }
  }
  const keys = new Map(config.keys.map((keyConfig) => [keyConfig.id, keyOf(keyConfig)]))
  return {
    key: (id) => {
      const key = keys.get(id)
      if (key === undefined) throw notAuthorizedOrNotFound()
      return key
    },
    rotate: (id) => {
      const key = config.keys.find((keyConfig) => keyConfig.id === id)
      if (key === undefined) return undefined
      const versionId = addVersion(key)
      keys.set(id, keyOf(key))
      return versionId
    },
    flushed: journal.flushed,
    close: journal.close,
  }
}

const CURVES = { NIST_P256: 'P-256', NIST_P384: 'P-384', NIST_P521: 'P-521' } as const

function makeMaterial(shape: KeyConfig['shape']): string {
  switch (shape.algorithm) {
    case 'AES':
      return randomBytes(shape.length).toString('base64')
    case 'RSA':
      return toPem(generateKeyPairSync('rsa', { modulusLength: shape.length * 8 }))
    case 'ECDSA':
      return toPem(generateKeyPairSync('ec', { namedCurve: CURVES[shape.curve] }))
  }
}

function toPem({ privateKey }: { readonly privateKey: KeyObject }): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
