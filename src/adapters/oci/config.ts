/**
 * A program's identity in OCI and the addresses of its services: one section of every configuration file. An
 * attacker who controls it can make calls fail or go elsewhere. Core verifies every answer.
 */
import { z } from 'zod'
import { HttpOrigin, isLoopback } from '#adapters/http/origin.ts'
import { CodedError } from '#core/errors.ts'

const endpoint = HttpOrigin
const profileName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be a profile name')

const PrincipalConfig = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('instance'),
    // These two replace OCI's own addresses: for the emulator.
    metadataUrl: z
      .string()
      .regex(/^http:\/\/[A-Za-z0-9.:[\]-]{1,255}\/opc\/v2$/, 'must be http://HOST/opc/v2')
      .optional(),
    federationUrl: endpoint.optional(),
  }),
  z.strictObject({ kind: z.literal('resource') }),
  z.strictObject({
    kind: z.literal('config-file'),
    path: z.string().min(1).max(4096),
    profile: profileName,
  }),
])
export type PrincipalConfig = z.output<typeof PrincipalConfig>

export const OciConfig = z
  .strictObject({
    region: z
      .string()
      .regex(/^[a-z]{2,3}-[a-z]+-\d$/, 'must be a region such as eu-frankfurt-1')
      .meta({
        description: 'Gives the endpoints of Object Storage and secrets, unless they are named below.',
        example: 'eu-frankfurt-1',
      })
      .optional(),
    principal: PrincipalConfig.meta({
      description:
        'The identity that signs requests. {"kind": "instance"}: this VM, by its metadata service and the regional federation service. {"kind": "resource"}: this function, by the files that OCI_RESOURCE_PRINCIPAL_* name. {"kind": "config-file", "path": "/…", "profile": "…"}: a person, by the OCI CLI\'s configuration file.',
      example: { kind: 'instance' },
    }),
    endpoints: z
      .strictObject({
        objectStorage: endpoint
          .meta({
            description: "By default the region's.",
            example: 'https://objectstorage.eu-frankfurt-1.oraclecloud.com',
          })
          .optional(),
        streaming: endpoint
          .meta({
            description: "The stream's messages endpoint. A program that uses streams needs it.",
            example: 'https://cell-1.streaming.eu-frankfurt-1.oci.oraclecloud.com',
          })
          .optional(),
        vaultCrypto: endpoint
          .meta({
            description:
              "The Vault's cryptographic endpoint. A program that uses keys needs both Vault endpoints.",
            example: 'https://example-crypto.kms.eu-frankfurt-1.oraclecloud.com',
          })
          .optional(),
        vaultManagement: endpoint
          .meta({
            description: "The Vault's management endpoint.",
            example: 'https://example-management.kms.eu-frankfurt-1.oraclecloud.com',
          })
          .optional(),
        secrets: endpoint
          .meta({
            description: "By default the region's.",
            example: 'https://secrets.vaults.eu-frankfurt-1.oci.oraclecloud.com',
          })
          .optional(),
      })
      .meta({ description: 'Origins of the services.' }),
  })
  .meta({ description: 'Access to OCI.' })
export type OciConfig = z.output<typeof OciConfig>

export type EndpointName = keyof OciConfig['endpoints']

/** Endpoints that follow from the region. */
const REGIONAL: Partial<Record<EndpointName, (region: string) => string>> = {
  objectStorage: (region) => `https://objectstorage.${region}.oraclecloud.com`,
  secrets: (region) => `https://secrets.vaults.${region}.oci.oraclecloud.com`,
}

/** Throws `config.invalid` if neither `endpoints` nor the region gives it. */
export function endpointOf(config: OciConfig, name: EndpointName): string {
  const { region } = config
  const found = config.endpoints[name] ?? (region === undefined ? undefined : REGIONAL[name]?.(region))
  if (found === undefined)
    throw new CodedError('config.invalid', `oci.endpoints.${name} is absent and has no default`)
  return found
}

/**
 * Throws `config.invalid` for a plain `http:` endpoint, unless plain http is allowed and the host is this
 * machine. OCI's own metadata service is plain http by nature; it is not named in the config.
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
