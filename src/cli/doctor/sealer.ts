/** The doctor of a sealing host. */
import type { Check } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import type { Role } from '#adapters/doctor/doctor.ts'
import { aesKeyCheck, signingKeyCheck } from '#adapters/doctor/keys.ts'
import { allowed, bucketChecks, refused } from '#adapters/doctor/permissions.ts'
import { SealConfig } from '#cli/config.ts'
import { openSigner } from '#cli/services.ts'
import { openRole, type RoleContext } from './context.ts'

type Context = RoleContext<SealConfig>

const GROUP = 'group sealing'
const POLICY_FILE = 'provider.policy'

const CHECKS: readonly Check<Context>[] = [
  clockCheck('oci', ({ oci, config }) => oci.probes().keyShape(config.keyId)),
  aesKeyCheck({
    id: 'key.dataset',
    remedy: `give ${GROUP} KEY_READ on keyId (infra/policies/${POLICY_FILE}), or name an AES key of 256 bits`,
    key: ({ config }) => config.keyId,
  }),
  allowed(
    {
      id: 'key.dataset.encrypt',
      tries: 'asks for a wrapped data key, without its plaintext',
      remedy: `give ${GROUP} KEY_ENCRYPT on keyId (infra/policies/${POLICY_FILE})`,
    },
    ({ oci, config }) => oci.probes().mayEncrypt(config.keyId),
  ),
  // What is sealed stays sealed: only a Verifier unwraps.
  refused(
    {
      id: 'key.dataset.decrypt',
      tries: 'decrypts bytes that are no ciphertext',
      remedy: `take KEY_DECRYPT on keyId away from ${GROUP}: only the Verifier unwraps`,
    },
    ({ oci, config }) => oci.probes().mayDecrypt(config.keyId),
  ),
  signingKeyCheck(
    {
      id: 'key.sealing',
      remedy: `give ${GROUP} KEY_READ and KEY_SIGN on sealingKey (infra/policies/${POLICY_FILE}), or correct its path; the policy must list its public half`,
    },
    ({ oci, config }) => openSigner(config.sealingKey, 'sealingKey', () => oci.keyVault()),
  ),
  ...bucketChecks<Context>(GROUP, {
    id: 'outbox',
    place: ({ config }) => ({ namespace: config.namespace, bucket: config.buckets.outbox }),
    policy: POLICY_FILE,
    // Multipart uploads need it; if-none-match keeps them from overwriting.
    may: [{ verb: 'list' }, { verb: 'read' }, { verb: 'create' }, { verb: 'overwrite' }],
    mustNot: [{ verb: 'delete' }],
  }),
  ...bucketChecks<Context>(GROUP, {
    id: 'governance',
    place: ({ config }) => ({ namespace: config.namespace, bucket: config.buckets.governance }),
    policy: POLICY_FILE,
    may: [{ verb: 'create', under: 'seal/' }],
    mustNot: [
      { verb: 'create', under: 'policy/' },
      { verb: 'create', under: 'revocation/' },
      { verb: 'create', under: 'verifier-keys/' },
      { verb: 'create', under: 'consent/' },
      { verb: 'read', under: 'policy/' },
      { verb: 'delete' },
    ],
  }),
]

export const SEALER: Role<SealConfig, Context> = {
  name: 'sealer',
  about:
    "Tries what a sealing host needs, and what it must be refused, as its user, with seal's own configuration.",
  schema: SealConfig,
  options: [],
  checks: CHECKS,
  leaves: [
    'overwriting a record: a sealing host may not list the bucket, so it knows no name to try',
    'the policy: a sealing host may not read it; compare the thumbprint of key.sealing with it',
    'the multipart upload itself: it would leave parts behind; outbox.overwrite tries its permission',
  ],
  open: openRole,
}
