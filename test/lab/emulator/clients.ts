/**
 * Unmodified SDK clients for any principal, over a minimal HTTP client without circuit breaker and retries.
 */
import {
  type AuthenticationDetailsProvider,
  DefaultRequestSigner,
  type HttpClient,
  type HttpRequest,
  InstancePrincipalsAuthenticationDetailsProviderBuilder,
  NoRetryConfigurationDetails,
  Region,
  SimpleAuthenticationDetailsProvider,
} from 'oci-common'
import { ObjectStorageClient } from 'oci-objectstorage'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import { apiKey, id } from './testEmulator.ts'

// The SDK reports every refusal on the console; the tests read the errors themselves.
console.warn = () => {}
console.log = () => {}

export function httpClientOf(provider: AuthenticationDetailsProvider): HttpClient {
  const signer = new DefaultRequestSigner(provider)
  return {
    send: async (request: HttpRequest, excludeBody = false): Promise<Response> => {
      const signed: HttpRequest = { method: request.method, headers: request.headers, uri: request.uri }
      if (!excludeBody && request.body !== undefined) signed.body = request.body
      await signer.signHttpRequest(signed, excludeBody)
      const { method, headers, uri, body } = request
      return fetch(uri, { method, headers, body, duplex: 'half', redirect: 'error' } as RequestInit)
    },
  }
}

/** A user of the test tenancies, with the API key that all users share. */
export function userProvider(tenancyId: string, name: string): AuthenticationDetailsProvider {
  return new SimpleAuthenticationDetailsProvider(
    tenancyId,
    id('user', name),
    fingerprintOf(apiKey.publicKey),
    apiKey.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    null,
    Region.EU_FRANKFURT_1,
  )
}

/** The SDK's own instance principal, through the metadata service and the federation endpoint. */
export async function instanceProvider(
  emulator: Emulator,
  name: string,
): Promise<AuthenticationDetailsProvider> {
  const builder = new InstancePrincipalsAuthenticationDetailsProviderBuilder()
  builder.metadataBaseUrl = emulator.imds[id('instance', name)] ?? ''
  builder.federationEndpoint = emulator.endpoint
  return await builder.build()
}

export function objectStorageOf(
  emulator: Emulator,
  provider: AuthenticationDetailsProvider,
): ObjectStorageClient {
  const client = new ObjectStorageClient(
    { httpClient: httpClientOf(provider) },
    { retryConfiguration: NoRetryConfigurationDetails },
  )
  client.endpoint = emulator.endpoint
  return client
}
