/** Vault as a service: the crypto and management endpoints of every vault, on one origin. */

import type { Service, ServiceContext } from '#lab/emulator/service.ts'
import { cryptoRoutes } from './cryptoRoutes.ts'
import { openKeyring } from './keyring.ts'
import { managementRoutes } from './managementRoutes.ts'

export async function createVaultService(context: ServiceContext): Promise<Service> {
  const keyring = await openKeyring(context)
  return {
    name: 'vault',
    routes: [...cryptoRoutes(keyring), ...managementRoutes(keyring, context.config)],
    flushed: keyring.flushed,
    close: keyring.close,
  }
}
