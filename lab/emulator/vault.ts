/** Vault: the crypto and management endpoints of every vault of the world, on one origin. */

import type { Service, ServiceContext } from './service.ts'
import { cryptoRoutes } from './vault/cryptoRoutes.ts'
import { openKeyring } from './vault/keyring.ts'
import { managementRoutes } from './vault/managementRoutes.ts'

export async function createVaultService(context: ServiceContext): Promise<Service> {
  const keyring = await openKeyring(context)
  return {
    name: 'vault',
    routes: [...cryptoRoutes(keyring), ...managementRoutes(keyring, context.world)],
    flushed: keyring.flushed,
    close: keyring.close,
  }
}
