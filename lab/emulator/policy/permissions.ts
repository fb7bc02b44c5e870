/** The permissions of the services that the emulator serves, by OCI's names (OCI policy reference). */

export const PERMISSIONS = [
  'BUCKET_INSPECT',
  'BUCKET_READ',
  'BUCKET_UPDATE',
  'RETENTION_RULE_MANAGE',
  'RETENTION_RULE_LOCK',
  'OBJECT_INSPECT',
  'OBJECT_READ',
  'OBJECT_CREATE',
  'OBJECT_OVERWRITE',
  'OBJECT_DELETE',
  'KEY_READ',
  'KEY_ENCRYPT',
  'KEY_DECRYPT',
  'KEY_SIGN',
  'KEY_VERIFY',
  'KEY_EXPORT',
  'VAULT_READ',
  'SECRET_BUNDLE_READ',
  'STREAM_READ',
  'STREAM_CONSUME',
  'STREAM_PRODUCE',
  'FN_FUNCTION_READ',
  'FN_INVOCATION',
] as const
export type Permission = (typeof PERMISSIONS)[number]

/** The permissions that a verb grants on a resource type (OCI policy reference). */
export const VERBS: Readonly<Record<string, readonly Permission[]>> = {
  'inspect buckets': ['BUCKET_INSPECT'],
  'read buckets': ['BUCKET_INSPECT', 'BUCKET_READ'],
  'inspect objects': ['OBJECT_INSPECT'],
  'read objects': ['OBJECT_INSPECT', 'OBJECT_READ'],
  'read vaults': ['VAULT_READ'],
  'read keys': ['KEY_READ'],
  'read secret-bundles': ['SECRET_BUNDLE_READ'],
  'use stream-pull': ['STREAM_READ', 'STREAM_CONSUME'],
  'use stream-push': ['STREAM_READ', 'STREAM_PRODUCE'],
  'use fn-invocation': ['FN_INVOCATION'],
}
