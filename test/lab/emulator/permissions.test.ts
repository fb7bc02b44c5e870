import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AuthenticationDetailsProvider, NoRetryConfigurationDetails } from 'oci-common'
import { KmsCryptoClient } from 'oci-keymanagement'
import { SecretsClient } from 'oci-secrets'
import { StreamClient } from 'oci-streaming'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { httpClientOf, instanceProvider, userProvider } from './clients.ts'
import { emulatorFor, id, PROVIDER, testConfig } from './testEmulator.ts'

const HIDDEN = { statusCode: 404, serviceCode: 'NotAuthorizedOrNotFound' }

function clientsOf(emulator: Emulator, provider: AuthenticationDetailsProvider) {
  const parameters = [
    { httpClient: httpClientOf(provider) },
    { retryConfiguration: NoRetryConfigurationDetails },
  ] as const
  const crypto = new KmsCryptoClient(...parameters)
  const secrets = new SecretsClient(...parameters)
  const streams = new StreamClient(...parameters)
  for (const client of [crypto, secrets, streams]) client.endpoint = emulator.endpoint
  return { crypto, secrets, streams }
}

test('keys, secrets and streams without permission look like absent ones', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const sealer = clientsOf(emulator, userProvider(PROVIDER, 'sealer'))
  const worker = clientsOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const verifier = clientsOf(emulator, await instanceProvider(emulator, 'verifier'))
  const keyId = id('key', 'dataset')
  const generate = ({ crypto }: typeof worker) =>
    crypto.generateDataEncryptionKey({
      generateKeyDetails: {
        keyId,
        includePlaintextKey: true,
        keyShape: { algorithm: 'AES' as never, length: 32 },
        associatedData: { sealId: 'x' },
      },
    })
  const { generatedKey } = await generate(sealer)
  const decrypt = ({ crypto }: typeof worker, key: string) =>
    crypto.decrypt({
      decryptDataDetails: {
        keyId: key,
        ciphertext: generatedKey.ciphertext,
        associatedData: { sealId: 'x' },
      },
    })
  const { decryptedData } = await decrypt(verifier, keyId)
  assert.equal(decryptedData.plaintext, generatedKey.plaintext)

  const secretId = id('vaultsecret', 'nonce-mac')
  await verifier.secrets.getSecretBundle({ secretId })
  for (const refused of [
    () => decrypt(worker, keyId),
    () => decrypt(worker, id('key', 'absent')),
    () => decrypt(sealer, keyId),
    () => generate(worker),
    () => generate(verifier),
    () => worker.secrets.getSecretBundle({ secretId }),
    () => sealer.secrets.getSecretBundle({ secretId }),
    () => verifier.streams.getGroup({ streamId: id('stream', 'jobs'), groupName: 'workers' }),
  ])
    await assert.rejects(refused(), HIDDEN, String(refused))
})
