/**
 * The emulator's configuration: the tenancies and every resource in them. Everything is named by its OCID, as
 * in the Terraform outputs of a deployment. Clients cannot create resources over the wire.
 */
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { bucketName, namespaceName, ocid } from '#core/fields.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'

const label = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'must be a name of letters, digits, _ . -')

const Tenancy = z.strictObject({
  /** A tenancy and its root compartment have the same OCID. */
  id: ocid,
  name: label,
  /** Object Storage namespace. */
  namespace: namespaceName,
})

const Compartment = z.strictObject({ id: ocid, name: label, tenancyId: ocid })

const User = z.strictObject({
  id: ocid,
  name: label,
  tenancyId: ocid,
  /** OCIDs of groups. */
  groups: z.array(ocid),
  /** API signing keys: RSA public keys as PEM; the fingerprint is the MD5 of the SPKI DER. */
  apiKeys: z.array(z.string().includes('BEGIN PUBLIC KEY')).max(3),
})

const Group = z.strictObject({ id: ocid, name: label, tenancyId: ocid })

/** `rule` is OCI's matching rule over `instance.*` and `resource.*`. */
const DynamicGroup = z.strictObject({ id: ocid, name: label, tenancyId: ocid, rule: z.string().min(1) })

/** A confidential VM. Any process that reaches its metadata endpoint gets its identity. */
const Instance = z.strictObject({
  id: ocid,
  name: label,
  compartmentId: ocid,
  /** TCP port of its metadata service on loopback; 0 for any free port. */
  imdsPort: z.int().min(0).max(65_535),
})

/** A guest of the AMD host: the socket of its firmware, and the content of its reports. */
const Guest = z.strictObject({
  name: z.string(),
  /** Any process that can connect acts as the guest. */
  socketPath: z.string().startsWith('/'),
  /** The AMD host checks it in full when it starts. */
  platform: z.custom<PlatformInput>(
    (value) => typeof value === 'object' && value !== null,
    'must be an object',
  ),
})

const Function_ = z.strictObject({
  id: ocid,
  name: label,
  compartmentId: ocid,
  /** The Fn listener (`FN_LISTENER=unix:<socket>`) of the process that runs it. */
  socket: z.string().startsWith('/'),
  timeoutSeconds: z.int().min(1).max(300),
})

const Bucket = z.strictObject({
  id: ocid,
  name: bucketName,
  compartmentId: ocid,
  /** Whether changes emit createobject, updateobject and deleteobject events. */
  objectEvents: z.boolean(),
  /** Until this age an object can be neither overwritten nor deleted; 0 for no retention rule. */
  retentionSeconds: z.int().min(0),
})

const Vault = z.strictObject({ id: ocid, name: label, compartmentId: ocid })

/** A key of random material, created on first start and kept in the data folder. */
const Key = z.strictObject({
  id: ocid,
  name: label,
  vaultId: ocid,
  compartmentId: ocid,
  shape: z.discriminatedUnion('algorithm', [
    z.strictObject({ algorithm: z.literal('AES'), length: z.literal([16, 24, 32]) }),
    z.strictObject({ algorithm: z.literal('RSA'), length: z.literal([256, 384, 512]) }),
    z.strictObject({
      algorithm: z.literal('ECDSA'),
      curve: z.literal(['NIST_P256', 'NIST_P384', 'NIST_P521']),
    }),
  ]),
})

/** 32 random bytes, created on first start. */
const Secret = z.strictObject({ id: ocid, name: label, vaultId: ocid, compartmentId: ocid })

const Stream = z.strictObject({
  id: ocid,
  name: label,
  compartmentId: ocid,
  partitions: z.int().min(1).max(50),
  retentionSeconds: z.int().min(60),
})

/** A rule of OCI Events: which events go to which function. */
const EventRule = z.strictObject({
  id: ocid,
  name: label,
  compartmentId: ocid,
  condition: z.strictObject({
    eventType: z.array(z.string()).min(1),
    data: z
      .strictObject({
        resourceName: z.array(z.string()).optional(),
        additionalDetails: z.strictObject({ bucketName: z.array(z.string()).optional() }).optional(),
      })
      .optional(),
  }),
  functionId: ocid,
})

const Policy = z.strictObject({
  name: label,
  tenancyId: ocid,
  /** The text of a file of infra/policies: one statement per line, `#` for comments. */
  statements: z.string(),
  /** The values for `${name}` in the statements. A name without a value is `config.invalid`. */
  variables: z.record(z.string(), z.string()),
})

const ConfigSchema = z.strictObject({
  v: z.literal(1),
  region: z.string().regex(/^[a-z]{2,3}-[a-z]+-\d$/, 'must be a region such as eu-frankfurt-1'),
  /**
   * Lifetime of the session tokens of instances and functions, in seconds (OCI: 20 minutes for instances).
   */
  sessionSeconds: z.int().min(5).max(86_400),
  /** TCP port of the services on loopback; 0 for any free port. */
  port: z.int().min(0).max(65_535),
  tenancies: z.array(Tenancy).min(1),
  compartments: z.array(Compartment),
  groups: z.array(Group),
  users: z.array(User),
  dynamicGroups: z.array(DynamicGroup),
  instances: z.array(Instance),
  guests: z.array(Guest),
  functions: z.array(Function_),
  buckets: z.array(Bucket),
  vaults: z.array(Vault),
  keys: z.array(Key),
  secrets: z.array(Secret),
  streams: z.array(Stream),
  eventRules: z.array(EventRule),
  policies: z.array(Policy),
})
export type EmulatorConfig = z.output<typeof ConfigSchema>

/**
 * Throws `config.invalid` for an unknown or absent field, an id used twice, or a reference to an unknown id.
 */
export function parseEmulatorConfig(value: unknown): EmulatorConfig {
  const config = checkShape(ConfigSchema, value, 'emulator configuration', 'config.invalid')
  const { tenancies, compartments, groups, vaults, functions } = config
  assertUnique(config)
  // A tenancy's root compartment has the tenancy's OCID.
  const places = idsOf([...tenancies, ...compartments])
  const tenants = idsOf(tenancies)
  const references: readonly (readonly [string, ReadonlySet<string>, readonly string[]])[] = [
    [
      'tenancyId',
      tenants,
      [...compartments, ...groups, ...config.users, ...config.dynamicGroups, ...config.policies].map(
        (it) => it.tenancyId,
      ),
    ],
    [
      'compartmentId',
      places,
      [
        ...config.instances,
        ...functions,
        ...config.buckets,
        ...vaults,
        ...config.keys,
        ...config.secrets,
        ...config.streams,
        ...config.eventRules,
      ].map((it) => it.compartmentId),
    ],
    ['vaultId', idsOf(vaults), [...config.keys, ...config.secrets].map((it) => it.vaultId)],
    ['groups', idsOf(groups), config.users.flatMap((it) => it.groups)],
    ['functionId', idsOf(functions), config.eventRules.map((it) => it.functionId)],
  ]
  for (const [field, known, used] of references)
    for (const id of used)
      if (!known.has(id))
        throw new CodedError('config.invalid', `emulator configuration: ${field} ${id} is not defined`)
  return config
}

/** The tenancy that a compartment, or the root compartment, belongs to. */
export function tenancyOf(config: EmulatorConfig, compartmentId: string): string {
  const compartment = config.compartments.find(({ id }) => id === compartmentId)
  return compartment?.tenancyId ?? compartmentId
}

function idsOf(things: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(things.map(({ id }) => id))
}

function assertUnique(config: EmulatorConfig): void {
  const seen = new Set<string>()
  for (const section of Object.values(config)) {
    if (!Array.isArray(section)) continue
    for (const thing of section) {
      if (!('id' in thing)) continue
      if (seen.has(thing.id))
        throw new CodedError('config.invalid', `emulator configuration: id ${thing.id} is used twice`)
      seen.add(thing.id)
    }
  }
}
