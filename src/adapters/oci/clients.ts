/**
 * From one config record to the ports. Programs compose with this and see no SDK type.
 *
 * ```ts
 * const oci = createOci(config.oci, { allowPlainHttp: config.simulation, clock })
 * const store = oci.objectStore()
 * const lease = await oci.streamConsumer({ streamId, group: 'workers', instance: `${boot}` }).join()
 * ```
 */
import { KmsCryptoClient, KmsManagementClient } from 'oci-keymanagement'
import { ObjectStorageClient } from 'oci-objectstorage'
import { SecretsClient } from 'oci-secrets'
import { StreamClient } from 'oci-streaming'
import type { Clock } from '#ports/clock.ts'
import type { StreamConsumer, StreamProducer } from '#ports/jobStream.ts'
import type { KeyVault, SecretStore } from '#ports/keyVault.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { assertTransport, endpointOf, type OciConfig } from './config.ts'
import { createHttp } from './http.ts'
import { createStreamConsumer, createStreamProducer } from './jobStream.ts'
import { createObjectStore } from './objectStore.ts'
import { createPrincipal } from './principal.ts'
import { createSecretStore } from './secrets.ts'
import { createKeyVault } from './vault.ts'

export type OciOptions = {
  /** Programs pass their `simulation`: without it, plain http endpoints are refused; with it, all but loopback ones. */
  readonly allowPlainHttp: boolean
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
}

/** Of one vault; where absent, those of `endpoints` in the config. */
type VaultEndpoints = { readonly cryptoEndpoint: string; readonly managementEndpoint: string }

type ConsumerOptions = {
  readonly streamId: string
  readonly group: string
  /** Unique in the group: instance OCID and boot, for example. */
  readonly instance: string
  /** Where absent, `endpoints.streaming` of the config. */
  readonly endpoint?: string
  /** How long a partition stays with an instance that is silent; 30 s as on OCI. */
  readonly reservationMs?: number
}

export type Oci = {
  readonly objectStore: () => ObjectStore
  readonly keyVault: (endpoints?: VaultEndpoints) => KeyVault
  readonly secretStore: () => SecretStore
  readonly streamConsumer: (options: ConsumerOptions) => StreamConsumer
  readonly streamProducer: (options: Pick<ConsumerOptions, 'streamId' | 'endpoint'>) => StreamProducer
  /** Drops idle sockets and timers; calls in flight fail. */
  readonly close: () => void
}

/** Throws `config.invalid`; makes no call before the first port is used. Ports of one `Oci` share sockets and token. */
export function createOci(config: OciConfig, { allowPlainHttp, clock }: OciOptions): Oci {
  assertTransport(config, allowPlainHttp)
  const http = createHttp(createPrincipal(config.principal))
  const { params, configuration } = http

  const at = <Client extends { endpoint: string }>(client: Client, endpoint: string): Client => {
    assertTransport({ ...config, endpoints: { streaming: endpoint } }, allowPlainHttp)
    client.endpoint = endpoint
    return client
  }
  const streamClient = (endpoint = endpointOf(config, 'streaming')) =>
    at(new StreamClient(params, configuration), endpoint)

  return {
    objectStore: () => {
      const client = new ObjectStorageClient(params, configuration)
      return createObjectStore(http, at(client, endpointOf(config, 'objectStorage')))
    },
    keyVault: (endpoints) => {
      const crypto = endpoints?.cryptoEndpoint ?? endpointOf(config, 'vaultCrypto')
      const management = endpoints?.managementEndpoint ?? endpointOf(config, 'vaultManagement')
      return createKeyVault(
        http,
        at(new KmsCryptoClient(params, configuration), crypto),
        at(new KmsManagementClient(params, configuration), management),
      )
    },
    secretStore: () =>
      createSecretStore(http, at(new SecretsClient(params, configuration), endpointOf(config, 'secrets'))),
    streamConsumer: ({ endpoint, ...options }) =>
      createStreamConsumer(http, streamClient(endpoint), clock, options),
    streamProducer: ({ endpoint, streamId }) => createStreamProducer(http, streamClient(endpoint), streamId),
    close: http.close,
  }
}
