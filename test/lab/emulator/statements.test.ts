import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { createPrincipals, fingerprintOf } from '#lab/emulator/identity/principals.ts'
import type { Permission } from '#lab/emulator/policy/permissions.ts'
import { createPolicy } from '#lab/emulator/policy/policy.ts'
import type { Access, Principal } from '#lab/emulator/service.ts'
import { apiKey, CONSUMER, compartment, id, PROVIDER, testConfig } from './testEmulator.ts'

const config = testConfig()
const principals = createPrincipals(config)
const worker = found(principals.instance(id('instance', 'worker-1')))
const verifier = found(principals.instance(id('instance', 'verifier')))
const ingest = found(principals.function(id('fnfunc', 'ingest')))

/** Of the provider. */
function user(name: string): Principal {
  const key = `${PROVIDER}/${id('user', name)}/${fingerprintOf(apiKey.publicKey)}`
  return found(principals.apiKey(key)?.principal)
}

function found(principal: Principal | undefined): Principal {
  assert.ok(principal)
  return principal
}

function keyAccess(tenancyId: string, key: string, permission: Permission): Access {
  return {
    permissions: [permission],
    compartmentId: compartment(tenancyId, 'vault'),
    variables: { 'target.key.id': id('key', key) },
  }
}

function bucketAccess(tenancyId: string, place: string, name: string, permission: Permission): Access {
  return {
    permissions: [permission],
    compartmentId: compartment(tenancyId, place),
    variables: { 'target.bucket.name': name },
  }
}

test('the deployed policies give each principal exactly the permissions of design §4', () => {
  const { permits } = createPolicy(config)
  const keyVerbs: readonly Permission[] = [
    'KEY_READ',
    'KEY_ENCRYPT',
    'KEY_DECRYPT',
    'KEY_SIGN',
    'KEY_VERIFY',
    'KEY_EXPORT',
  ]
  const keys = (tenancyId: string) =>
    config.keys
      .filter(({ compartmentId }) => compartmentId === compartment(tenancyId, 'vault'))
      .map(({ name }) => name)
  const allowed = (principal: Principal, tenancyId: string): readonly string[] =>
    keys(tenancyId).flatMap((name) =>
      keyVerbs
        .filter((verb) => permits(principal, keyAccess(tenancyId, name, verb)))
        .map((verb) => `${name} ${verb}`),
    )
  assert.deepEqual(allowed(worker, PROVIDER), [])
  assert.deepEqual(allowed(worker, CONSUMER), ['client KEY_READ', 'client KEY_SIGN'])
  assert.deepEqual(allowed(verifier, PROVIDER), [
    'dataset KEY_DECRYPT',
    'identity KEY_DECRYPT',
    'consent KEY_DECRYPT',
    'grant-ca KEY_READ',
    'grant-ca KEY_SIGN',
  ])
  assert.deepEqual(allowed(verifier, CONSUMER), [])
  assert.deepEqual([...allowed(ingest, PROVIDER), ...allowed(ingest, CONSUMER)], [])
  assert.deepEqual(allowed(user('enroller'), PROVIDER), [
    'workers-ca KEY_READ',
    'workers-ca KEY_SIGN',
    'verifiers-ca KEY_READ',
    'verifiers-ca KEY_SIGN',
  ])
  for (const name of ['sealer', 'governor', 'freshness', 'auditor'])
    assert.ok(!allowed(user(name), PROVIDER).some((verb) => verb.includes('s-ca ')), name)

  const cases: readonly (readonly [Principal, Access, boolean])[] = [
    [worker, bucketAccess(PROVIDER, 'data', 'outbox', 'OBJECT_READ'), true],
    [worker, bucketAccess(PROVIDER, 'data', 'outbox', 'OBJECT_CREATE'), false],
    [worker, bucketAccess(PROVIDER, 'trust', 'governance', 'OBJECT_READ'), false],
    [worker, bucketAccess(CONSUMER, 'results', 'results', 'OBJECT_CREATE'), true],
    [worker, bucketAccess(CONSUMER, 'results', 'results', 'OBJECT_OVERWRITE'), false],
    [worker, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_CREATE'), true],
    [worker, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_READ'), true],
    [worker, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_OVERWRITE'), false],
    [worker, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_DELETE'), false],
    [worker, bucketAccess(PROVIDER, 'trust', 'evidence-verifier', 'OBJECT_CREATE'), false],
    [verifier, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_READ'), true],
    [verifier, bucketAccess(CONSUMER, 'results', 'results', 'OBJECT_READ'), false],
    [verifier, bucketAccess(PROVIDER, 'trust', 'evidence-worker', 'OBJECT_CREATE'), false],
    [verifier, bucketAccess(PROVIDER, 'trust', 'freshness', 'OBJECT_READ'), true],
    [verifier, bucketAccess(PROVIDER, 'trust', 'freshness', 'OBJECT_CREATE'), false],
    [verifier, bucketAccess(PROVIDER, 'trust', 'verifier-state', 'OBJECT_CREATE'), true],
    [verifier, bucketAccess(PROVIDER, 'trust', 'governance', 'OBJECT_CREATE'), false],
    [ingest, bucketAccess(PROVIDER, 'data', 'outbox', 'OBJECT_INSPECT'), true],
    [ingest, bucketAccess(CONSUMER, 'pipeline', 'worker-state', 'OBJECT_READ'), false],
  ]
  for (const [principal, access, expected] of cases)
    assert.equal(permits(principal, access), expected, `${principal.id} ${JSON.stringify(access)}`)
})

test('access across tenancies needs both the Endorse and the Admit', () => {
  const access = bucketAccess(PROVIDER, 'data', 'outbox', 'OBJECT_READ')
  for (const [tenancy, verb] of [
    [0, 'Admit'],
    [1, 'Endorse'],
  ] as const) {
    const one = testConfig({
      change: ({ policies }) => {
        const policy = policies[tenancy]
        assert.ok(policy)
        policies[tenancy] = {
          ...policy,
          statements: policy.statements.replace(
            new RegExp(`^${verb} dynamic-group \\w*[wW]orkers [^\\n]*(\\n +[^\\n]*)*`, 'm'),
            '',
          ),
        }
      },
    })
    assert.equal(createPolicy(one).permits(worker, access), false, verb)
  }
})

test('conditions nest, and a condition on an absent variable is not met', () => {
  const decide = (where: string, variables: Record<string, string>): boolean => {
    const changed = testConfig({
      change: ({ policies }) => {
        policies.length = 0
        policies.push({
          name: 'one',
          tenancyId: CONSUMER,
          statements: `allow dynamic-group workers to {KEY_SIGN} in tenancy where ${where}`,
          variables: {},
        })
      },
    })
    return createPolicy(changed).permits(worker, {
      permissions: ['KEY_SIGN'],
      compartmentId: CONSUMER,
      variables,
    })
  }
  const key = { 'target.key.id': 'k', 'target.vault.id': 'v' }
  assert.equal(decide(`target.key.id = 'K'`, key), true)
  assert.equal(decide(`target.key.id = 'k'`, {}), false)
  assert.equal(decide(`ANY {target.key.id = 'x', target.vault.id = 'v'}`, key), true)
  assert.equal(decide(`all {target.key.id = 'x', target.vault.id = 'v'}`, key), false)
  assert.equal(
    decide(`all {target.key.id = 'k', any {target.vault.id = 'x', request.permission = 'KEY_SIGN'}}`, key),
    true,
  )
})

test('a worker claims attempts, and only an operator starts a round of them', () => {
  const { permits } = createPolicy(config)
  const operator = found(
    principals.apiKey(`${CONSUMER}/${id('user', 'operator')}/${fingerprintOf(apiKey.publicKey)}`)?.principal,
  )
  const creates = (principal: Principal, object: string) => {
    const { variables, ...access } = bucketAccess(CONSUMER, 'pipeline', 'worker-state', 'OBJECT_CREATE')
    return permits(principal, { ...access, variables: { ...variables, 'target.object.name': object } })
  }
  for (const [object, byWorker, byOperator] of [
    ['attempt/ab/0/1/claim', true, false],
    ['done/ab', true, false],
    ['retry/ab/1', false, true],
    ['other/ab', false, false],
  ] as const) {
    assert.equal(creates(worker, object), byWorker, object)
    assert.equal(creates(operator, object), byOperator, object)
  }
  assert.equal(
    permits(operator, bucketAccess(CONSUMER, 'results', 'results', 'OBJECT_READ')),
    false,
    'an operator reads no result',
  )
})

test('a pattern matches the beginning of a name', () => {
  const { permits } = createPolicy(config)
  const researcher = found(
    principals.apiKey(`${CONSUMER}/${id('user', 'researcher')}/${fingerprintOf(apiKey.publicKey)}`)
      ?.principal,
  )
  const reads = (bucket: string, object: string) => {
    const { variables, ...access } = bucketAccess(PROVIDER, 'trust', bucket, 'OBJECT_READ')
    return permits(researcher, { ...access, variables: { ...variables, 'target.object.name': object } })
  }
  assert.equal(reads('evidence-verifier', 'registration/abc'), true)
  assert.equal(reads('evidence-verifier', 'abc/registration'), false)
  assert.equal(reads('governance', 'verifier-keys/000000001'), true)
  assert.equal(reads('governance', 'revocation/000000001'), true)
  assert.equal(reads('governance', 'policy/000000001'), false)
})

test('each writer of governance creates its own names, and no other (M3)', () => {
  const { permits } = createPolicy(config)
  const creators = (bucket: string, object: string) =>
    ['sealer', 'governor', 'privacy', 'freshness', 'enroller', 'auditor'].filter((name) => {
      const { variables, ...access } = bucketAccess(PROVIDER, 'trust', bucket, 'OBJECT_CREATE')
      return permits(user(name), { ...access, variables: { ...variables, 'target.object.name': object } })
    })
  for (const [object, expected] of [
    ['seal/5f1c', ['sealer']],
    ['policy/000000002-5f1c', ['governor']],
    ['revocation/000000001-5f1c', ['governor']],
    ['verifier-keys/000000002-5f1c', ['governor']],
    ['consent/cohort/000000001', ['governor', 'privacy']],
    ['consent-list/cohort/5f1c', ['governor', 'privacy']],
    ['sensitive-codes/5f1c', ['governor']],
    ['freshness/29000000', []],
    ['x/seal/5f1c', []],
    ['other', []],
  ] as const)
    assert.deepEqual(creators('governance', object), expected, object)
  assert.deepEqual(creators('freshness', 'freshness/29000000'), ['freshness'])
  assert.deepEqual(creators('freshness', 'other'), [])
  for (const bucket of ['evidence-verifier', 'evidence-worker', 'verifier-state'])
    assert.deepEqual(creators(bucket, 'freshness/29000000'), [], bucket)
  // A sealing host and an enrolment host see nothing of the bucket, not even a name.
  for (const name of ['sealer', 'enroller'])
    for (const permission of ['OBJECT_INSPECT', 'OBJECT_READ'] as const) {
      const { variables, ...access } = bucketAccess(PROVIDER, 'trust', 'governance', permission)
      for (const object of [{}, { 'target.object.name': 'seal/5f1c' }])
        assert.equal(permits(user(name), { ...access, variables: { ...variables, ...object } }), false, name)
    }
})

test('a worker reads the consent lists, and no document', () => {
  const { permits } = createPolicy(config)
  const { variables, ...access } = bucketAccess(PROVIDER, 'trust', 'governance', 'OBJECT_READ')
  for (const [object, expected] of [
    ['consent-list/cohort/5f1c', true],
    ['consent/cohort/000000001-5f1c', false],
    ['policy/000000002-5f1c', false],
    ['seal/5f1c', false],
  ] as const)
    assert.equal(
      permits(worker, { ...access, variables: { ...variables, 'target.object.name': object } }),
      expected,
      object,
    )
})

test('a statement that is not understood is config.invalid', () => {
  const statements: readonly string[] = [
    'Permit group researchers to {OBJECT_READ} in tenancy',
    'Allow user researcher to {OBJECT_READ} in tenancy',
    'Allow any-user to {OBJECT_READ} in tenancy',
    'Allow group researchers to {OBJECT_READS} in tenancy',
    'Allow group researchers to manage objects in tenancy',
    'Allow group strangers to {OBJECT_READ} in tenancy',
    'Allow group researchers to {OBJECT_READ} in compartment elsewhere',
    "Allow group researchers to {OBJECT_READ} in tenancy where target.buket.name = 'x'",
    "Allow group researchers to {OBJECT_READ} in tenancy where target.bucket.name != 'x'",
    'Allow group researchers to {OBJECT_READ} in tenancy where target.bucket.name = /*x/',
    "Allow group researchers to {OBJECT_READ} in tenancy where any {target.bucket.name = 'x'",
    'Allow group researchers to {OBJECT_READ} in tenancy and more',
    'Endorse group researchers to {OBJECT_READ} in tenancy Nowhere',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    "Allow group researchers to {OBJECT_READ} in tenancy where target.key.id = '${absent}'",
  ]
  for (const text of statements) {
    const changed = testConfig({
      change: ({ policies }) => {
        policies.push({ name: 'bad', tenancyId: CONSUMER, statements: text, variables: {} })
      },
    })
    assert.throws(
      () => createPolicy(changed),
      (error) => error instanceof CodedError && error.code === 'config.invalid',
      text,
    )
  }
})
