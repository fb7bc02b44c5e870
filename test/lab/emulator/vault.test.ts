/**
 * The Vault on the wire: permissions, malformed calls and restarts. test/contract/keyVault.ts tests the
 * operations.
 */
import assert from 'node:assert/strict'
import { createPublicKey, hash as digestOf, generateKeyPairSync, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AuthenticationDetailsProvider, NoRetryConfigurationDetails } from 'oci-common'
import { KmsCryptoClient, KmsManagementClient, KmsVaultClient } from 'oci-keymanagement'
import { SecretsClient } from 'oci-secrets'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { signDigest } from '#lab/emulator/vault/digestSignature.ts'
import { httpClientOf, instanceProvider, userProvider } from './clients.ts'
import { CONSUMER, emulatorFor, id, PROVIDER, temporaryFolder, testConfig } from './testEmulator.ts'

const DATASET = id('key', 'dataset')
const CLIENT = id('key', 'client')
const HIDDEN = { statusCode: 404, serviceCode: 'NotAuthorizedOrNotFound' }
const BAD = { statusCode: 400, serviceCode: 'InvalidParameter' }

function clientsOf(endpoint: string, provider: AuthenticationDetailsProvider) {
  const params = { httpClient: httpClientOf(provider) }
  const configuration = { retryConfiguration: NoRetryConfigurationDetails }
  const crypto = new KmsCryptoClient(params, configuration)
  const management = new KmsManagementClient(params, configuration)
  const vaults = new KmsVaultClient(params, configuration)
  const secrets = new SecretsClient(params, configuration)
  for (const client of [crypto, management, vaults, secrets]) client.endpoint = endpoint
  return { crypto, management, vaults, secrets }
}

const generate = (keyId: string) => ({
  generateKeyDetails: {
    keyId,
    keyShape: { algorithm: 'AES' as never, length: 32 },
    includePlaintextKey: true,
  },
})

test('a worker cannot use any key of the provider, and can only sign with its own', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const worker = clientsOf(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  const ciphertext = Buffer.alloc(64).toString('base64')
  const decryptDataDetails = { keyId: DATASET, ciphertext }
  await assert.rejects(worker.crypto.decrypt({ decryptDataDetails }), HIDDEN)
  await assert.rejects(worker.crypto.generateDataEncryptionKey(generate(DATASET)), HIDDEN)
  await assert.rejects(worker.management.getKey({ keyId: DATASET }), HIDDEN)
  await assert.rejects(worker.secrets.getSecretBundle({ secretId: id('vaultsecret', 'nonce-mac') }), HIDDEN)
  const { key } = await worker.management.getKey({ keyId: CLIENT })
  const { currentKeyVersion: keyVersionId } = key
  const { keyVersion } = await worker.management.getKeyVersion({ keyId: CLIENT, keyVersionId })
  const message = Buffer.from('message')
  const { signedData } = await worker.crypto.sign({
    signDataDetails: {
      keyId: CLIENT,
      message: message.toString('base64'),
      signingAlgorithm: 'ECDSA_SHA_384' as never,
    },
  })
  const publicKey = createPublicKey(keyVersion.publicKey ?? '')
  assert.ok(verify('sha384', message, publicKey, Buffer.from(signedData.signature, 'base64')))
  const details = { keyId: CLIENT, plaintext: 'AA==' }
  await assert.rejects(worker.crypto.encrypt({ encryptDataDetails: details }), HIDDEN)
})

test('the sealer can create data keys but not decrypt them; the Verifier can only decrypt', async (t) => {
  const emulator = await emulatorFor(t, testConfig())
  const { crypto: sealer, management } = clientsOf(emulator.endpoint, userProvider(PROVIDER, 'sealer'))
  const verifier = clientsOf(emulator.endpoint, await instanceProvider(emulator, 'verifier')).crypto
  const { generatedKey } = await sealer.generateDataEncryptionKey(generate(DATASET))
  // The seal header names the key version.
  assert.equal((await management.getKey({ keyId: DATASET })).key.id, DATASET)
  const decryptDataDetails = { keyId: DATASET, ciphertext: generatedKey.ciphertext }
  await assert.rejects(sealer.decrypt({ decryptDataDetails }), HIDDEN)
  await assert.rejects(verifier.generateDataEncryptionKey(generate(DATASET)), HIDDEN)
  const { decryptedData } = await verifier.decrypt({ decryptDataDetails })
  assert.equal(decryptedData.plaintext, generatedKey.plaintext)
  assert.equal(decryptedData.plaintextChecksum, generatedKey.plaintextChecksum)
})

test('the journal of decryptions names the caller, the key and the associated data of each success', async (t) => {
  const folder = await temporaryFolder(t)
  const emulator = await emulatorFor(t, testConfig(), { folder, now: Date.now })
  const { crypto: sealer } = clientsOf(emulator.endpoint, userProvider(PROVIDER, 'sealer'))
  const verifier = clientsOf(emulator.endpoint, await instanceProvider(emulator, 'verifier')).crypto
  const associatedData = { sealId: '00' }
  const { generateKeyDetails } = generate(DATASET)
  const { generatedKey } = await sealer.generateDataEncryptionKey({
    generateKeyDetails: { ...generateKeyDetails, associatedData },
  })
  const details = { keyId: DATASET, ciphertext: generatedKey.ciphertext }
  await assert.rejects(verifier.decrypt({ decryptDataDetails: details }), BAD)
  await assert.rejects(sealer.decrypt({ decryptDataDetails: { ...details, associatedData } }), HIDDEN)
  await verifier.decrypt({ decryptDataDetails: { ...details, associatedData } })
  const lines = (await readFile(join(folder, 'vault', 'decryptions.journal'), 'utf8')).trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => ({ ...JSON.parse(line), time: 0 })),
    [{ time: 0, principal: id('instance', 'verifier'), keyId: DATASET, associatedData }],
  )
})

test('keys and secrets survive a restart', async (t) => {
  const folder = await temporaryFolder(t)
  const config = testConfig()
  const onFault = assert.ifError
  const options = { config, folder, now: Date.now, onFault }
  const before = await startEmulator(options)
  const provider = userProvider(PROVIDER, 'sealer')
  const { generatedKey } = await clientsOf(before.endpoint, provider).crypto.generateDataEncryptionKey(
    generate(DATASET),
  )
  const secretId = id('vaultsecret', 'nonce-mac')
  const verifier = clientsOf(before.endpoint, await instanceProvider(before, 'verifier'))
  const { secretBundle } = await verifier.secrets.getSecretBundle({ secretId })
  await before.close()

  const after = await emulatorFor(t, config, { folder })
  const again = clientsOf(after.endpoint, await instanceProvider(after, 'verifier'))
  const decryptDataDetails = { keyId: DATASET, ciphertext: generatedKey.ciphertext }
  const { decryptedData } = await again.crypto.decrypt({ decryptDataDetails })
  assert.equal(decryptedData.plaintext, generatedKey.plaintext)
  assert.deepEqual((await again.secrets.getSecretBundle({ secretId })).secretBundle, secretBundle)
})

test('a new version is the current one, also after a restart, and the one before still opens', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { config: testConfig(), folder, now: Date.now, onFault: assert.ifError }
  const before = await startEmulator(options)
  const rotate = async (body: unknown) => {
    const init = { method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(`${before.endpoint}/emulator/versions`, init)
    return { status: response.status, json: (await response.json()) as { id?: string; version?: string } }
  }
  const secretId = id('vaultsecret', 'nonce-mac')
  const sealer = clientsOf(before.endpoint, userProvider(PROVIDER, 'sealer'))
  const verifier = clientsOf(before.endpoint, await instanceProvider(before, 'verifier'))
  const { generatedKey } = await sealer.crypto.generateDataEncryptionKey(generate(DATASET))
  const { secretBundle } = await verifier.secrets.getSecretBundle({ secretId })
  const [key, secret] = [await rotate({ id: DATASET }), await rotate({ id: secretId })]
  assert.deepEqual(secret, { status: 200, json: { id: secretId, version: '2' } })
  assert.equal((await rotate({ id: id('key', 'none') })).status, 404)
  for (const malformed of [{}, { id: 'key' }, { id: DATASET, name: 'x' }])
    assert.equal((await rotate(malformed)).status, 400)
  await before.close()

  const after = await emulatorFor(t, options.config, { folder })
  const again = clientsOf(after.endpoint, await instanceProvider(after, 'verifier'))
  const decryptDataDetails = { keyId: DATASET, ciphertext: generatedKey.ciphertext }
  const { decryptedData } = await again.crypto.decrypt({ decryptDataDetails })
  assert.equal(decryptedData.plaintext, generatedKey.plaintext)
  assert.notEqual(decryptedData.keyVersionId, key.json.version)
  const { key: described } = await clientsOf(
    after.endpoint,
    userProvider(PROVIDER, 'sealer'),
  ).management.getKey({ keyId: DATASET })
  assert.equal(described.currentKeyVersion, key.json.version)
  const stages = await Promise.all(
    (['CURRENT', 'PREVIOUS'] as const).map((stage) =>
      again.secrets.getSecretBundle({ secretId, stage: stage as never }),
    ),
  )
  assert.deepEqual(
    stages.map((each) => each.secretBundle.versionNumber),
    [2, 1],
  )
  assert.deepEqual(stages[1]?.secretBundle.secretBundleContent, secretBundle.secretBundleContent)
  assert.notDeepEqual(stages[0]?.secretBundle.secretBundleContent, secretBundle.secretBundleContent)
})

test('an unsuitable key or a malformed request is InvalidParameter', async (t) => {
  const config = testConfig({
    change: (change) => {
      for (const policy of change.policies)
        if (policy.tenancyId === CONSUMER)
          policy.statements += `\nAllow dynamic-group workers to {KEY_ENCRYPT, KEY_DECRYPT, KEY_SIGN, KEY_VERIFY} in tenancy\n`
    },
  })
  const emulator = await emulatorFor(t, config)
  const { crypto } = clientsOf(emulator.endpoint, await instanceProvider(emulator, 'worker-1'))
  const ecdsa = 'ECDSA_SHA_384' as never
  const digest = 'DIGEST' as never
  const message = Buffer.from('message').toString('base64')
  const sign = { keyId: CLIENT, message, signingAlgorithm: ecdsa }
  const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a data key under a signing key', () => crypto.generateDataEncryptionKey(generate(CLIENT))],
    ['a digest of another length', () => crypto.sign({ signDataDetails: { ...sign, messageType: digest } })],
    [
      'a scheme of another curve',
      () => crypto.sign({ signDataDetails: { ...sign, signingAlgorithm: 'ECDSA_SHA_256' as never } }),
    ],
    [
      'a message of more than 4096 bytes',
      () => crypto.sign({ signDataDetails: { ...sign, message: Buffer.alloc(4097).toString('base64') } }),
    ],
    ['text that is not base64', () => crypto.sign({ signDataDetails: { ...sign, message: '*' } })],
    [
      'an unknown key version',
      () => crypto.sign({ signDataDetails: { ...sign, keyVersionId: 'ocid1.keyversion.oc1..none' } }),
    ],
    ['an unknown field', () => crypto.sign({ signDataDetails: { ...sign, more: 1 } as never })],
    [
      'associated data of 4096 characters',
      () =>
        crypto.encrypt({
          encryptDataDetails: { keyId: CLIENT, plaintext: 'AA==', associatedData: { a: 'x'.repeat(4096) } },
        }),
    ],
    [
      'an RSA ciphertext without its key version',
      () =>
        crypto.decrypt({
          decryptDataDetails: {
            keyId: id('key', 'result'),
            ciphertext: Buffer.alloc(256).toString('base64'),
            encryptionAlgorithm: 'RSA_OAEP_SHA_256' as never,
          },
        }),
    ],
  ]
  for (const [name, call] of calls) await assert.rejects(call(), BAD, name)
  const { signedData } = await crypto.sign({ signDataDetails: sign })
  const { keyVersionId } = signedData
  const isValid = async (signature: string, text: string): Promise<boolean> => {
    const verifyDataDetails = { ...sign, keyVersionId, message: text, signature }
    return (await crypto.verify({ verifyDataDetails })).verifiedData.isSignatureValid
  }
  assert.equal(await isValid(signedData.signature, message), true)
  assert.equal(await isValid(signedData.signature, Buffer.from('other').toString('base64')), false)
})

test('the signature of a digest verifies as a signature of the message', () => {
  for (const [curve, name, hash] of [
    ['NIST_P256', 'P-256', 'sha256'],
    ['NIST_P384', 'P-384', 'sha384'],
  ] as const) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: name })
    for (let round = 0; round < 10; round += 1) {
      const message = Buffer.from(`${round}`)
      const signature = signDigest(curve, privateKey, digestOf(hash, message, 'buffer'))
      assert.ok(verify(hash, message, publicKey, signature))
    }
  }
})
