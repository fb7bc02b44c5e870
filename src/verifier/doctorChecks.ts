/** What a Verifier's doctor tries: with its files, its rights, and what its provider has published. */
import { type Check, ends, finding, good, left, type Outcome } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import { type Governed, governanceChecks, policyOf } from '#adapters/doctor/governance.ts'
import { signingKeyCheck } from '#adapters/doctor/keys.ts'
import { bucketChecks } from '#adapters/doctor/permissions.ts'
import { tlsChecks } from '#adapters/doctor/tls.ts'
import type { Oci } from '#adapters/oci/clients.ts'
import { createKds } from '#adapters/sev/kds.ts'
import type { ClockSkew } from '#adapters/system/clockSkew.ts'
import { fromBase64url } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { behind, freshnessName } from '#core/policy/freshness.ts'
import type { Dataset } from '#core/policy/policy.ts'
import { checkPolicy } from '#core/policy/policyCheck.ts'
import { certifies } from '#core/policy/verifierKeys.ts'
import { ID_KEY_BYTES, idKeyAssociatedData } from '#core/release/idKey.ts'
import { NONCE_KEY_BYTES } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import { loadingVerifierOf } from './boot.ts'
import type { VerifierConfig } from './config.ts'
import { readCrl, readTrustStore } from './endorsements.ts'
import { serverFiles } from './material.ts'
import { createStatements } from './statements.ts'

export type VerifierContext = {
  readonly config: VerifierConfig
  readonly oci: Oci
  readonly skew: ClockSkew
  readonly clock: Clock
  readonly governed: () => Promise<Governed>
}

const GROUP = 'dynamic-group verifier'
const POLICY_FILE = 'provider.policy'
const WRITE_ONCE = [{ verb: 'overwrite' }, { verb: 'delete' }] as const
/** AMD publishes a list for weeks; the metric of its days is watched from here on. */
const LEAST_CRL_DAYS = 7

const FRESHNESS: Check<VerifierContext> = {
  id: 'governance.freshness',
  tries: 'reads the newest freshness statement, and compares it with what the governance bucket shows',
  expects: 'one in force, by the key that the verifier keys name, and all that it names',
  remedy:
    'see that "freshness --every" runs, with the key of the verifier keys; what is named and not shown is hidden by the storage, or not there yet',
  run: async ({ oci, config, clock, governed }, signal) => {
    const { namespace, buckets, tenant, audience } = config
    const key = (await governed()).verifierKeys?.document?.content?.freshnessKey
    if (key === undefined) throw new CodedError('policy.none', 'no verifier keys are in force')
    const place = { namespace, bucket: buckets.freshness }
    const statements = createStatements(oci.objectStore(), place, { tenant, audience }, clock)
    await statements.refresh(signal)
    const { statement } = statements.newest(key)
    const missing = behind(await governed(), statement)
    return missing === undefined
      ? ends(`the statement of ${freshnessName(statement.iat)}`, statement.exp, clock.now(), 0)
      : finding(`the governance bucket does not show ${missing}, which ${freshnessName(statement.iat)} names`)
  },
}

const ENDORSEMENTS: readonly Check<VerifierContext>[] = [
  {
    id: 'endorsements.crl',
    tries: "reads AMD's revocation list of each product in the policy",
    expects: `a list by its root, for ${LEAST_CRL_DAYS} days or more`,
    remedy: 'endorsements fetch writes the newest into endorsements.folder; endorsements.kds keeps it so',
    run: async ({ config, clock, governed }): Promise<readonly Outcome[]> => {
      const { folder } = config.endorsements
      const roots = await readTrustStore(folder, config.simulation)
      const products = policyOf(await governed()).roots.map(({ product }) => product)
      return await Promise.all(
        [...new Set(products)].map(async (product) => {
          const crl = await readCrl(folder, product, roots)
          if (crl === undefined) return finding(`${product}: ${folder} has no revocation list`)
          const ageDays = Math.floor((clock.now() - crl.thisUpdate) / 86_400)
          return ends(
            `${product}: the list, ${ageDays} days old,`,
            crl.nextUpdate,
            clock.now(),
            LEAST_CRL_DAYS,
          )
        }),
      )
    },
  },
  {
    id: 'endorsements.kds',
    tries: "asks AMD's key distribution service for the list of a product",
    expects: 'an answer',
    remedy: 'let this machine reach the address of endorsements.kds',
    run: async ({ config, clock, governed }, signal) => {
      const { simulation, endorsements } = config
      const { kds } = endorsements
      if (kds === undefined) return left('no service is configured: renew the lists by hand')
      const product = policyOf(await governed()).roots[0]?.product ?? 'Genoa'
      await createKds({ url: kds.url, simulation, clock }).crl(product, signal)
      return good(`${kds.url} answers`)
    },
  },
]

const KEYS: readonly Check<VerifierContext>[] = [
  {
    id: 'secret.nonces',
    tries: 'reads the secret, and forgets it',
    expects: `${NONCE_KEY_BYTES} bytes`,
    remedy: `give ${GROUP} SECRET_BUNDLE_READ on macSecretId (infra/policies/${POLICY_FILE}); the secret has ${NONCE_KEY_BYTES} random bytes`,
    run: async ({ oci, config }) => {
      const { content, version } = await oci.secretStore().read(config.macSecretId)
      const bytes = content.byteLength
      content.fill(0)
      return bytes === NONCE_KEY_BYTES
        ? good(`version ${version}, of ${bytes} bytes`)
        : finding(`it has ${bytes} bytes, not ${NONCE_KEY_BYTES}`)
    },
  },
  signingKeyCheck(
    {
      id: 'key.grant-ca',
      remedy: `give ${GROUP} KEY_READ and KEY_SIGN on grantCaKeyId (infra/policies/${POLICY_FILE}), a P-384 key`,
    },
    ({ oci, config }) => oci.keyVault().signer(config.grantCaKeyId),
  ),
  {
    id: 'key.certified',
    tries: 'compares the public half of the grant CA with the verifier keys in force',
    expects: 'the same key under the same OCID',
    remedy: 'correct grantCaKeyId, or have the signers publish verifier keys that name this key',
    run: async ({ oci, config, governed }) => {
      const keys = (await governed()).verifierKeys?.document?.content
      if (keys === undefined) throw new CodedError('policy.none', 'no verifier keys are in force')
      const { jwk } = await oci.keyVault().signer(config.grantCaKeyId)
      return certifies(keys, { keyId: config.grantCaKeyId, jwk })
        ? good(`verifier keys ${keys.seq} certify it`)
        : finding(`verifier keys ${keys.seq} certify ${keys.grantCa.keyId} or another version of it`)
    },
  },
  {
    id: 'key.datasets',
    tries: 'decrypts bytes that are no ciphertext, under each key of the datasets',
    expects: 'allowed, and of no effect',
    remedy: `give ${GROUP} KEY_DECRYPT on this key (infra/policies/${POLICY_FILE})`,
    run: eachDataset(async ({ id, keyIds }, { oci }) =>
      Promise.all(
        keyIds.map(async (keyId) =>
          (await oci.probes().mayDecrypt(keyId))
            ? good(`${id}: ${keyId} may decrypt`)
            : finding(`${id}: decryption under ${keyId} is refused, or the key is not there`),
        ),
      ),
    ),
  },
  {
    id: 'key.identities',
    tries: 'unwraps the identity key of each dataset, and forgets it',
    expects: `${ID_KEY_BYTES} bytes`,
    remedy: `give ${GROUP} KEY_DECRYPT on this key (infra/policies/${POLICY_FILE}), or have the policy name what it wraps`,
    run: eachDataset(async ({ id, idKey }, { oci, config }) => {
      const data = idKeyAssociatedData(config.tenant, id)
      try {
        const key = await oci.keyVault().decrypt(idKey.keyId, fromBase64url(idKey.wrapped), data)
        const bytes = key.byteLength
        key.fill(0)
        return [bytes === ID_KEY_BYTES ? good(`${id}: it opens`) : finding(`${id}: it has ${bytes} bytes`)]
      } catch (error) {
        if (!(error instanceof CodedError) || codeOf(error) === 'service.unavailable') throw error
        return [{ ...finding(`${id}: ${error.message}`), code: error.code }]
      }
    }),
  },
  {
    id: 'key.datasets.encrypt',
    tries: 'asks for a wrapped data key, without its plaintext, under each key of the datasets',
    expects: 'refused',
    remedy: `take KEY_ENCRYPT on this key away from ${GROUP}: only a sealing host wraps`,
    run: eachDataset(async ({ id, keyIds }, { oci }) =>
      Promise.all(
        keyIds.map(async (keyId) =>
          (await oci.probes().mayEncrypt(keyId))
            ? finding(`${id}: encryption under ${keyId} is allowed, and must be refused`)
            : good(`${id}: refused`),
        ),
      ),
    ),
  },
]

function eachDataset(
  run: (dataset: Dataset, context: VerifierContext) => Promise<readonly Outcome[]>,
): Check<VerifierContext>['run'] {
  return async (context) => {
    const { datasets } = policyOf(await context.governed())
    if (datasets.length === 0) return left('the policy has no dataset')
    return (await Promise.all(datasets.map((dataset) => run(dataset, context)))).flat()
  }
}

const BUCKETS: readonly Check<VerifierContext>[] = (
  [
    {
      id: 'governance',
      may: [{ verb: 'list' }, { verb: 'read' }],
      // A Verifier that could write here would choose its own policy.
      mustNot: [
        { verb: 'create', under: 'policy/' },
        { verb: 'create', under: 'revocation/' },
        { verb: 'create', under: 'verifier-keys/' },
        { verb: 'create', under: 'seal/' },
        ...WRITE_ONCE,
      ],
    },
    {
      id: 'freshness',
      may: [{ verb: 'list' }, { verb: 'read' }],
      mustNot: [{ verb: 'create', under: 'freshness/' }, ...WRITE_ONCE],
    },
    {
      id: 'evidence',
      may: [{ verb: 'list' }, { verb: 'read' }, { verb: 'create' }],
      mustNot: WRITE_ONCE,
    },
    {
      id: 'state',
      may: [{ verb: 'list' }, { verb: 'read' }, { verb: 'create' }],
      mustNot: WRITE_ONCE,
    },
  ] as const
).flatMap(({ id, may, mustNot }) =>
  bucketChecks<VerifierContext>(GROUP, {
    id,
    place: ({ config }) => ({ namespace: config.namespace, bucket: config.buckets[id] }),
    policy: POLICY_FILE,
    may,
    mustNot,
  }),
)

export const VERIFIER_CHECKS: readonly Check<VerifierContext>[] = [
  ...tlsChecks<VerifierContext>(({ config }) => serverFiles(config)),
  clockCheck('oci', ({ oci, config }) => oci.probes().keyShape(config.grantCaKeyId)),
  ...governanceChecks<VerifierContext>(({ config }, policy) =>
    checkPolicy(policy, loadingVerifierOf(config)),
  ),
  FRESHNESS,
  ...ENDORSEMENTS,
  ...KEYS,
  ...BUCKETS,
]
