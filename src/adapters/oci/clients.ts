/**
 * The ports over OCI, from one record of configuration. Programs see no type of the SDK.
 *
 * ```ts
 * const oci = createOci(config.oci, { allowPlainHttp: config.simulation, clock })
 * const store = oci.objectStore()
 * const lease = await oci.streamConsumer({ streamId, group: 'workers', instance: `${boot}` }).join()
 * ```
 */
import './home.ts'
import { KmsCryptoClient, KmsManagementClient } from 'oci-keymanagement'
import { ObjectStorageClient } from 'oci-objectstorage'
import { SecretsClient } from 'oci-secrets'
import { StreamClient } from 'oci-streaming'
import { type ClockSkew, createClockSkew } from '#adapters/system/clockSkew.ts'
import type { Clock } from '#ports/clock.ts'
import type { StreamConsumer, StreamProducer, StreamReader } from '#ports/jobStream.ts'
import type { KeyVault, SecretStore } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { assertTransport, type EndpointName, endpointOf, type OciConfig } from './config.ts'
import { createHttp } from './http.ts'
import {
  type ConsumerOptions,
  createStreamConsumer,
  createStreamProducer,
  createStreamReader,
} from './jobStream.ts'
import { createObjectStore } from './objectStore.ts'
import { createPrincipal } from './principal.ts'
import { createProbes, type Probes } from './probe.ts'
import { createSecretStore } from './secrets.ts'
import { createKeyVault } from './vault.ts'

export type OciOptions = {
  /** A program's `simulation`. Only with it are plain http endpoints taken, and only on loopback. */
  readonly allowPlainHttp: boolean
  readonly clock: Clock
  /** Learns the time from every answer. */
  readonly skew?: ClockSkew
}

export type Oci = {
  readonly objectStore: () => ObjectStore
  readonly keyVault: () => KeyVault
  readonly secretStore: () => SecretStore
  readonly streamConsumer: (options: ConsumerOptions) => StreamConsumer
  readonly streamProducer: (options: { readonly streamId: string }) => StreamProducer
  readonly streamReader: (options: { readonly streamId: string }) => StreamReader
  /** What OCI permits, asked without an effect. */
  readonly probes: () => Probes
  /** Drops idle sockets and timers; calls in flight fail. */
  readonly close: () => void
}

/**
 * Throws `config.invalid`. Makes no call until a port is used. All ports of one `Oci` share sockets and
 * token.
 */
export function createOci(
  config: OciConfig,
  { allowPlainHttp, clock, skew = createClockSkew(clock) }: OciOptions,
): Oci {
  assertTransport(config, allowPlainHttp)
  const http = createHttp(createPrincipal(config.principal), skew)
  const { params, configuration } = http

  const at = <Client extends { endpoint: string }>(client: Client, name: EndpointName): Client => {
    client.endpoint = endpointOf(config, name)
    return client
  }
  const streamClient = () => at(new StreamClient(params, configuration), 'streaming')
  const objectClient = () => at(new ObjectStorageClient(params, configuration), 'objectStorage')
  const cryptoClient = () => at(new KmsCryptoClient(params, configuration), 'vaultCrypto')
  const managementClient = () => at(new KmsManagementClient(params, configuration), 'vaultManagement')

  return {
    objectStore: () => createObjectStore(http, objectClient()),
    keyVault: () => createKeyVault(http, cryptoClient(), managementClient()),
    secretStore: () => createSecretStore(http, at(new SecretsClient(params, configuration), 'secrets')),
    streamConsumer: (options) => createStreamConsumer(http, streamClient(), clock, options),
    streamProducer: ({ streamId }) => createStreamProducer(http, streamClient(), streamId),
    streamReader: ({ streamId }) => createStreamReader(http, streamClient(), clock, streamId),
    probes: () =>
      createProbes(http, {
        objects: objectClient,
        crypto: cryptoClient,
        management: managementClient,
        streams: streamClient,
      }),
    close: http.close,
  }
}
