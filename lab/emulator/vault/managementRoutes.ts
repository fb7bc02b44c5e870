/**
 * The management endpoint, as far as clients need it: keys, their public halves, and the endpoints of a
 * vault.
 */
import { createPublicKey } from 'node:crypto'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import {
  type Access,
  notAuthorizedOrNotFound,
  type Route,
  type ServiceRequest,
} from '#lab/emulator/service.ts'
import type { Keyring, VaultKey } from './keyring.ts'

export function managementRoutes(keyring: Keyring, config: EmulatorConfig): readonly Route[] {
  const keyOf = ({ params }: ServiceRequest): VaultKey => keyring.key(params['keyId'] ?? '')
  const readKey = (request: ServiceRequest): Access => {
    const { id, vaultId, compartmentId } = keyOf(request)
    const variables = { 'target.key.id': id, 'target.vault.id': vaultId }
    return { permissions: ['KEY_READ'], compartmentId, variables }
  }
  const vaultOf = ({ params }: ServiceRequest): EmulatorConfig['vaults'][number] => {
    const vault = config.vaults.find(({ id }) => id === params['vaultId'])
    if (vault === undefined) throw notAuthorizedOrNotFound()
    return vault
  }

  return [
    {
      method: 'GET',
      pattern: '/20180608/keys/:keyId',
      body: 'none',
      access: readKey,
      handle: (request) => ({ status: 200, json: describeKey(keyOf(request)) }),
    },
    {
      method: 'GET',
      pattern: '/20180608/keys/:keyId/keyVersions/:versionId',
      body: 'none',
      access: readKey,
      handle: (request) => ({
        status: 200,
        json: describeVersion(keyOf(request), request.params['versionId'] ?? ''),
      }),
    },
    {
      method: 'GET',
      pattern: '/20180608/vaults/:vaultId',
      body: 'none',
      access: (request) => {
        const { id, compartmentId } = vaultOf(request)
        return { permissions: ['VAULT_READ'], compartmentId, variables: { 'target.vault.id': id } }
      },
      handle: (request) => ({ status: 200, json: describeVault(vaultOf(request), request) }),
    },
  ]
}

function describeKey({ id, name, vaultId, compartmentId, shape, versions }: VaultKey) {
  return {
    id,
    compartmentId,
    vaultId,
    displayName: name,
    currentKeyVersion: versions.at(-1)?.id,
    keyShape: keyShape(shape),
    protectionMode: 'SOFTWARE',
    lifecycleState: 'ENABLED',
    timeCreated: new Date(versions[0]?.createdAt ?? 0).toISOString(),
  }
}

function describeVersion({ id, vaultId, compartmentId, shape, versions }: VaultKey, versionId: string) {
  const version = versions.find((each) => each.id === versionId)
  if (version === undefined) throw notAuthorizedOrNotFound()
  return {
    id: version.id,
    keyId: id,
    vaultId,
    compartmentId,
    lifecycleState: 'ENABLED',
    origin: 'INTERNAL',
    timeCreated: new Date(version.createdAt).toISOString(),
    ...(shape.algorithm !== 'AES' && {
      publicKey: createPublicKey(version.material).export({ type: 'spki', format: 'pem' }),
    }),
  }
}

function describeVault(
  { id, name, compartmentId }: EmulatorConfig['vaults'][number],
  { headers }: ServiceRequest,
) {
  const endpoint = `http://${headers.host}`
  return {
    id,
    compartmentId,
    displayName: name,
    vaultType: 'DEFAULT',
    lifecycleState: 'ACTIVE',
    cryptoEndpoint: endpoint,
    managementEndpoint: endpoint,
  }
}

/** The length is in bytes. ECDSA also names its curve. */
function keyShape(shape: VaultKey['shape']) {
  if (shape.algorithm !== 'ECDSA') return shape
  const length = { NIST_P256: 32, NIST_P384: 48, NIST_P521: 66 }[shape.curve]
  return { algorithm: 'ECDSA', length, curveId: shape.curve }
}
