/** The doctor of a researcher. */
import { type Check, ends, finding, good, left } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import type { Role } from '#adapters/doctor/doctor.ts'
import { bucketChecks } from '#adapters/doctor/permissions.ts'
import { readerOf } from '#adapters/evidence/collection.ts'
import { readManifest } from '#adapters/evidence/resultManifest.ts'
import { listResults } from '#adapters/sealed/openResult.ts'
import { OpenConfig } from '#cli/config.ts'
import { resultTrust } from '#cli/services.ts'
import { exportJwk, thumbprint } from '#core/jwk.ts'
import { GovernanceFolder } from '#core/policy/bucket.ts'
import { grantCasOf, VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { openContext, type RoleContext } from './context.ts'

type Context = RoleContext<OpenConfig>

const GROUP = 'group researchers'
const BOTH = 'provider.policy and consumer.policy'
const LEAST_DAYS = 14

const results = ({ config: { namespace, bucket } }: Context) => ({ namespace, bucket })
const governance = ({ config: { provider } }: Context) => ({
  namespace: provider.namespace,
  bucket: provider.governance,
})

const CHECKS: readonly Check<Context>[] = [
  clockCheck('oci', (context) => context.oci.probes().mayRead({ ...results(context), name: 'r/doctor' })),
  {
    id: 'governance.verifier-keys',
    tries: 'reads the verifier keys and verifies them under the pin',
    expects: `a grant CA that is certified for ${LEAST_DAYS} days or more`,
    remedy:
      "ask the provider's signers for the next verifier keys; correct trust.providerRoot if all are strangers",
    run: async (context) => {
      const { trust, tenant } = context.config
      const { providerRoot, audience } = trust
      const reader = readerOf(context.oci.objectStore(), governance(context))
      const keys = new GovernanceFolder(VERIFIER_KEYS, reader, providerRoot)
      await keys.refresh()
      const all = grantCasOf(keys.documents, providerRoot, { tenant, audience })
      if (all.length === 0)
        return finding('no grant CA is certified for trust.audience under trust.providerRoot')
      const last = Math.max(...all.map(({ exp }) => exp))
      return ends('the newest certification', last, context.clock.now(), LEAST_DAYS)
    },
  },
  {
    id: 'key.result',
    tries: 'verifies the first result, and decrypts bytes that are no ciphertext under its recipient key',
    expects: 'allowed and of no effect, and the public half that the result was sealed to',
    remedy: `give ${GROUP} KEY_READ and KEY_DECRYPT on this key (infra/policies/consumer.policy); a result for another key needs its owner`,
    run: async (context) => {
      const { oci, config } = context
      const store = oci.objectStore()
      const reader = readerOf(store, results(context))
      for await (const { resultId } of listResults(reader)) {
        const { recipient } = await readManifest(reader, resultId, resultTrust(config, store))
        const { keyId, keyVersionId } = recipient
        const { key, keyVersionId: current } = await oci.keyVault().publicKey(keyId)
        if (current === keyVersionId && thumbprint(exportJwk(key)) !== recipient.thumbprint)
          return finding(`${keyId} has another public half than the result's recipient`)
        return (await oci.probes().mayDecrypt(keyId, { keyVersionId }))
          ? good(`${keyId} may decrypt`)
          : finding(`decryption under ${keyId} is refused`)
      }
      return left('the bucket has no result yet, and only a result names the key')
    },
  },
  ...bucketChecks<Context>(GROUP, {
    id: 'results',
    place: results,
    policy: 'consumer.policy',
    may: [{ verb: 'list' }, { verb: 'read' }],
    mustNot: [{ verb: 'create', under: 'r/' }, { verb: 'overwrite' }, { verb: 'delete' }],
  }),
  ...bucketChecks<Context>(GROUP, {
    id: 'governance',
    place: governance,
    policy: BOTH,
    may: [
      { verb: 'list' },
      { verb: 'read', under: 'verifier-keys/' },
      { verb: 'read', under: 'revocation/' },
    ],
    mustNot: [
      { verb: 'read', under: 'policy/' },
      { verb: 'create', under: 'verifier-keys/' },
      { verb: 'overwrite' },
      { verb: 'delete' },
    ],
  }),
  ...bucketChecks<Context>(GROUP, {
    id: 'registrations',
    place: ({ config: { provider } }) => ({ namespace: provider.namespace, bucket: provider.evidence }),
    policy: BOTH,
    may: [{ verb: 'read', under: 'registration/' }],
    mustNot: [{ verb: 'read', under: 'log/' }, { verb: 'list' }, { verb: 'create', under: 'registration/' }],
  }),
]

export const RESEARCHER: Role<OpenConfig, Context> = {
  name: 'researcher',
  about:
    'Tries what a researcher needs, and what a researcher must be refused, with the configuration of `open`. Opens no result.',
  schema: OpenConfig,
  options: [],
  checks: CHECKS,
  leaves: [
    'the policy: a researcher may not read it',
    'the content of results: `open` verifies and opens it',
  ],
  open: (config) => openContext(config, config.trust.simulation),
}
