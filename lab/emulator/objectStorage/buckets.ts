/** Routes of namespaces and buckets. */

import { type EmulatorConfig, tenancyOf } from '#lab/emulator/config.ts'
import type { Permission } from '#lab/emulator/policy/permissions.ts'
import { type Access, OciError, type Route, type ServiceRequest } from '#lab/emulator/service.ts'

export type Bucket = EmulatorConfig['buckets'][number] & { readonly namespace: string }

export function bucketRoutes(config: EmulatorConfig): readonly Route[] {
  const access = (request: ServiceRequest): Access => accessTo(findBucket(config, request), ['BUCKET_READ'])
  return [
    {
      method: 'GET',
      pattern: '/n',
      body: 'none',
      access: ({ principal }) => ({ permissions: [], compartmentId: principal.tenancyId, variables: {} }),
      handle: ({ principal }) => ({ status: 200, json: namespaceOf(config, principal.tenancyId) }),
    },
    ...(['GET', 'HEAD'] as const).map(
      (method): Route => ({
        method,
        pattern: '/n/:namespace/b/:bucket',
        body: 'none',
        access,
        handle: (request) => ({ status: 200, json: describeBucket(findBucket(config, request)) }),
      }),
    ),
    {
      method: 'GET',
      pattern: '/n/:namespace/b/:bucket/retentionRules',
      body: 'none',
      access,
      handle: (request) => ({ status: 200, json: { items: retentionRules(findBucket(config, request)) } }),
    },
  ]
}

/** Throws 404 `BucketNotFound`, which is also the answer to a missing permission. */
export function findBucket(config: EmulatorConfig, { params }: ServiceRequest): Bucket {
  const { namespace = '', bucket: name = '' } = params
  const bucket = config.buckets.find(
    (candidate) =>
      candidate.name === name &&
      namespaceOf(config, tenancyOf(config, candidate.compartmentId)) === namespace,
  )
  if (bucket === undefined) throw bucketNotFound(name, namespace)
  return { ...bucket, namespace }
}

export function accessTo(bucket: Bucket, permissions: readonly Permission[], object?: string): Access {
  return {
    permissions,
    compartmentId: bucket.compartmentId,
    variables: {
      'target.bucket.name': bucket.name,
      ...(object === undefined ? {} : { 'target.object.name': object }),
    },
    hiddenAs: bucketNotFound(bucket.name, bucket.namespace),
  }
}

function namespaceOf(config: EmulatorConfig, tenancyId: string): string {
  return config.tenancies.find(({ id }) => id === tenancyId)?.namespace ?? ''
}

function bucketNotFound(name: string, namespace: string): OciError {
  return new OciError(
    404,
    'BucketNotFound',
    `Either the bucket named '${name}' does not exist in the namespace '${namespace}' or you are not authorized to access it`,
  )
}

function describeBucket(bucket: Bucket): object {
  const { id, name, namespace, compartmentId, objectEvents } = bucket
  return {
    id,
    name,
    namespace,
    compartmentId,
    objectEventsEnabled: objectEvents,
    publicAccessType: 'NoPublicAccess',
    storageTier: 'Standard',
    versioning: 'Disabled',
  }
}

function retentionRules({ retentionSeconds }: Bucket): readonly object[] {
  if (retentionSeconds === 0) return []
  return [
    {
      id: 'retention',
      displayName: 'retention',
      duration: { timeAmount: Math.ceil(retentionSeconds / 86_400), timeUnit: 'DAYS' },
    },
  ]
}
