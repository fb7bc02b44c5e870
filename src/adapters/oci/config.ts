/**
 * How a program reaches OCI: who it is, and where the services are. One section of every program's config file.
 * Whoever controls it can make calls fail or go elsewhere; what comes back is verified by core, not believed.
 */
import { z } from 'zod'
import { HttpOrigin, isLoopback } from '#adapters/http/origin.ts'
import { CodedError } from '#core/errors.ts'

const endpoint = HttpOrigin
const profileName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be a profile name')

/**
 * Who signs the requests.
 *
 * - `instance`: the VM itself; a session token from the regional federation service, by way of the metadata service.
 *   `metadataUrl` (up to and with `/opc/v2`) and `federationUrl` replace OCI's own; they come with the emulator.
 * - `resource`: a function; token and key from the files that `OCI_RESOURCE_PRINCIPAL_*` name.
 * - `config-file`: a person; the OCI CLI's config file with tenancy, user, fingerprint and key file.
 */
const PrincipalConfig = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('instance'),
    metadataUrl: z
      .string()
      .regex(/^http:\/\/[A-Za-z0-9.:[\]-]{1,255}\/opc\/v2$/, 'must be http://HOST/opc/v2')
      .optional(),
    federationUrl: endpoint.optional(),
  }),
  z.strictObject({ kind: z.literal('resource') }),
  z.strictObject({
    kind: z.literal('config-file'),
    /** Path of the OCI config file. */
    path: z.string().min(1).max(4096),
    profile: profileName,
  }),
])
export type PrincipalConfig = z.output<typeof PrincipalConfig>

export const OciConfig = z.strictObject({
  /** Names the endpoints of Object Storage and secrets where `endpoints` does not. */
  region: z
    .string()
    .regex(/^[a-z]{2,3}-[a-z]+-\d$/, 'must be a region such as eu-frankfurt-1')
    .optional(),
  principal: PrincipalConfig,
  /** Origins. Streaming: the stream's messages endpoint. Vault: the endpoints of the vault, which have no default. */
  endpoints: z.strictObject({
    objectStorage: endpoint.optional(),
    streaming: endpoint.optional(),
    vaultCrypto: endpoint.optional(),
    vaultManagement: endpoint.optional(),
    secrets: endpoint.optional(),
  }),
})
export type OciConfig = z.output<typeof OciConfig>

export type EndpointName = keyof OciConfig['endpoints']

/** Endpoints that follow from the region. */
const REGIONAL: Partial<Record<EndpointName, (region: string) => string>> = {
  objectStorage: (region) => `https://objectstorage.${region}.oraclecloud.com`,
  secrets: (region) => `https://secrets.vaults.${region}.oci.oraclecloud.com`,
}

/** Throws `config.invalid` where neither `endpoints` nor the region gives it. */
export function endpointOf(config: OciConfig, name: EndpointName): string {
  const { region } = config
  const found = config.endpoints[name] ?? (region === undefined ? undefined : REGIONAL[name]?.(region))
  if (found === undefined)
    throw new CodedError('config.invalid', `oci.endpoints.${name} is absent and has no default`)
  return found
}

/**
 * Throws `config.invalid` for a plain `http:` endpoint, unless plain http is allowed and the host is this machine.
 * OCI's own metadata service is plain http by nature; it is not named in the config.
 */
export function assertTransport(config: OciConfig, allowPlainHttp: boolean): void {
  const { principal, endpoints } = config
  const urls = {
    ...endpoints,
    ...(principal.kind === 'instance' && {
      metadataUrl: principal.metadataUrl,
      federationUrl: principal.federationUrl,
    }),
  }
  for (const [field, url] of Object.entries(urls)) {
    if (url === undefined || new URL(url).protocol === 'https:') continue
    if (!allowPlainHttp)
      throw new CodedError('config.invalid', `oci: ${field} is plain http, which only a simulation allows`)
    if (!isLoopback(url))
      throw new CodedError('config.invalid', `oci: ${field} is plain http to a host other than this machine`)
  }
}
