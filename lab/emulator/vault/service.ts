/** Vault as a service: the crypto and management endpoints of every vault, on one origin. */

import type { Service, ServiceContext } from '#lab/emulator/service.ts'
import { cryptoRoutes } from './cryptoRoutes.ts'
import { openDecryptLog } from './decryptLog.ts'
import { openKeyring } from './keyring.ts'
import { managementRoutes } from './managementRoutes.ts'

export async function createVaultService(context: ServiceContext): Promise<Service> {
  const [keyring, log] = await Promise.all([openKeyring(context), openDecryptLog(context)])
  return {
    name: 'vault',
    routes: [
      ...cryptoRoutes({ keyring, log, now: context.now }),
      ...managementRoutes(keyring, context.config),
    ],
    rotate: keyring.rotate,
    flushed: async () => {
      await Promise.all([keyring.flushed(), log.flushed()])
    },
    close: async () => {
      await Promise.all([keyring.close(), log.close()])
    },
  }
}
