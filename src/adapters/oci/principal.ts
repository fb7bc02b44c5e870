/** The signers of requests: the SDK's providers behind one interface that concurrent requests can share. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import {
  ConfigFileAuthenticationDetailsProvider,
  ResourcePrincipalAuthenticationDetailsProvider,
} from 'oci-common'
import { CodedError } from '#core/errors.ts'
import type { PrincipalConfig } from './config.ts'
import { createInstancePrincipal } from './instancePrincipal.ts'
import { quietly } from './quiet.ts'
import type { Principal } from './signature.ts'

export function createPrincipal(config: PrincipalConfig): Principal {
  switch (config.kind) {
    case 'instance':
      return createInstancePrincipal(config)
    case 'resource':
      return createResourcePrincipal()
    case 'config-file':
      return createUserPrincipal(config.path, config.profile)
  }
}

/**
 * A function's principal. The platform replaces its files; the SDK reads them again when the token has
 * expired.
 */
function createResourcePrincipal(): Principal {
  const provider = loading('resource principal', () =>
    ResourcePrincipalAuthenticationDetailsProvider.builder(),
  )
  const keyOf = cachedKey()
  return {
    identity: async () => {
      try {
        const keyId = await quietly(() => provider.getKeyId())
        return { keyId, privateKey: keyOf(provider.getPrivateKey(), null) }
      } catch (cause) {
        throw new CodedError('service.unavailable', 'the resource principal has no session token', { cause })
      }
    },
    renew: async () => {
      await quietly(() => provider.refresh())
    },
    close: () => {},
  }
}

function createUserPrincipal(path: string, profile: string): Principal {
  const identity = loading('principal of the config file', () => {
    const provider = new ConfigFileAuthenticationDetailsProvider(path, profile)
    const privateKey = cachedKey()(provider.getPrivateKey(), provider.getPassphrase())
    return {
      keyId: `${provider.getTenantId()}/${provider.getUser()}/${provider.getFingerprint()}`,
      privateKey,
    }
  })
  return { identity: async () => identity, renew: async () => {}, close: () => {} }
}

function loading<T>(what: string, load: () => T): T {
  try {
    return quietly(load)
  } catch (cause) {
    throw new CodedError('config.invalid', `the ${what} cannot be loaded`, { cause })
  }
}

/**
 * Keeps the last key: parsing a PEM costs as much as a signature, and the PEM changes only with the token.
 */
function cachedKey(): (pem: string, passphrase: string | null) => KeyObject {
  let last: { readonly pem: string; readonly key: KeyObject } | undefined
  return (pem, passphrase) => {
    if (last?.pem !== pem)
      last = { pem, key: createPrivateKey(passphrase === null ? pem : { key: pem, passphrase }) }
    return last.key
  }
}
