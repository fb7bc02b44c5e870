import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { endpointOf, OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { assertClosed, assertLimits } from '../../configuration.ts'

const clock = { ...systemClock, monotonic: () => 0, sleep: async () => {} }
const open = (config: unknown, allowPlainHttp: boolean) =>
  createOci(OciConfig.parse(config), { allowPlainHttp, clock })
const instance = { kind: 'instance' }
const invalid = { name: 'CodedError', code: 'config.invalid' }

const ENDPOINTS = ['objectStorage', 'streaming', 'vaultCrypto', 'vaultManagement', 'secrets'] as const
const endpoints: readonly { name: string; url: string; plain: 'never' | 'simulation' | 'always' }[] = [
  { name: 'https', url: 'https://objectstorage.eu-frankfurt-1.oraclecloud.com', plain: 'always' },
  { name: 'plain http on loopback', url: 'http://127.0.0.1:8080', plain: 'simulation' },
  { name: 'plain http on IPv6 loopback', url: 'http://[::1]:8080', plain: 'simulation' },
  { name: 'plain http by the name localhost', url: 'http://localhost:8080', plain: 'simulation' },
  { name: 'plain http to another host', url: 'http://10.0.0.1', plain: 'never' },
  { name: 'plain http to a host that begins like loopback', url: 'http://127.0.0.1.example', plain: 'never' },
]
for (const { name, url, plain } of endpoints)
  for (const allowPlainHttp of [false, true]) {
    const allowed = plain === 'always' || (plain === 'simulation' && allowPlainHttp)
    test(`${name} is ${allowed ? 'taken' : 'refused'} ${allowPlainHttp ? 'in' : 'outside'} a simulation`, () => {
      const asEndpoint = (name: string) => () =>
        open({ principal: instance, endpoints: { [name]: url } }, allowPlainHttp)
      const asFederation = () =>
        open({ principal: { ...instance, federationUrl: url }, endpoints: {} }, allowPlainHttp)
      for (const attempt of [...ENDPOINTS.map(asEndpoint), asFederation])
        if (allowed) attempt()
        else assert.throws(attempt, invalid)
    })
  }

test('the region gives the endpoints that follow from it, and no others', () => {
  const config = OciConfig.parse({ region: 'eu-frankfurt-1', principal: instance, endpoints: {} })
  assert.equal(endpointOf(config, 'objectStorage'), 'https://objectstorage.eu-frankfurt-1.oraclecloud.com')
  assert.equal(endpointOf(config, 'secrets'), 'https://secrets.vaults.eu-frankfurt-1.oci.oraclecloud.com')
  for (const name of ['streaming', 'vaultCrypto', 'vaultManagement'] as const)
    assert.throws(() => endpointOf(config, name), invalid)
  for (const name of ENDPOINTS)
    assert.throws(() => endpointOf({ principal: { kind: 'resource' }, endpoints: {} }, name), invalid)
  const own = { ...config, endpoints: { secrets: 'https://secrets.example' } }
  assert.equal(endpointOf(own, 'secrets'), 'https://secrets.example')
})

const FULL = {
  region: 'eu-frankfurt-1',
  principal: {
    ...instance,
    metadataUrl: 'http://169.254.169.254/opc/v2',
    federationUrl: 'https://auth.example',
  },
  endpoints: Object.fromEntries(ENDPOINTS.map((name) => [name, 'https://host.example'])),
}
const file = (change: object) => ({
  kind: 'config-file',
  path: '/home/me/.oci/config',
  profile: 'DEFAULT',
  ...change,
})
const metadata = (host: string) => ({ ...instance, metadataUrl: `http://${host}/opc/v2` })

test('access to OCI is closed, and only its principal is demanded', () => {
  assertClosed(OciConfig, FULL, [
    'region',
    'principal.metadataUrl',
    'principal.federationUrl',
    ...ENDPOINTS.map((name) => `endpoints.${name}`),
  ])
})

test('each limit of the access to OCI is exact', () => {
  assertLimits(OciConfig, FULL, [
    {
      field: 'region',
      good: ['eu-frankfurt-1', 'ap-tokyo-1', 'us-ashburn-1', 'mx-queretaro-9', 'abc-d-0'],
      bad: ['', 'e-frankfurt-1', 'euro-frankfurt-1', 'eu-frankfurt', 'eu-frankfurt-10', 'eu--1', 'EU-a-1'],
    },
    {
      field: 'principal',
      good: [instance, { kind: 'resource' }, file({}), file({ path: 'a' }), file({ path: 'a'.repeat(4096) })],
      bad: [
        undefined,
        { kind: 'root' },
        { kind: 'resource', path: '/' },
        file({ more: 1 }),
        file({ path: '' }),
        file({ path: 'a'.repeat(4097) }),
        file({ path: undefined }),
        file({ profile: undefined }),
      ],
    },
    {
      field: 'principal',
      good: ['a', 'A_b.c-1', 'a'.repeat(64)].map((profile) => file({ profile })),
      bad: ['', 'a b', 'a'.repeat(65), 'a\n'].map((profile) => file({ profile })),
    },
    {
      field: 'principal',
      good: ['a', '[fd00:c1::a9fe:a9fe]', '127.0.0.1:8080', 'a'.repeat(255)].map(metadata),
      bad: [
        ...['', 'a/b', 'a@b', 'a'.repeat(256)].map(metadata),
        { ...instance, metadataUrl: 'https://a/opc/v2' },
        { ...instance, metadataUrl: 'http://a/opc/v1' },
        { ...instance, metadataUrl: 'http://a/opc/v2/' },
      ],
    },
    ...[...ENDPOINTS.map((name) => `endpoints.${name}`), 'principal.federationUrl'].map((field) => ({
      field,
      good: ['http://127.0.0.1'],
      bad: ['https://a/b', 'https://a@b', 'a', ''],
    })),
  ])
})

test("a plain http address of this instance's own services is refused by its name", () => {
  for (const field of ['metadataUrl', 'federationUrl']) {
    const url = { metadataUrl: 'http://10.0.0.1/opc/v2', federationUrl: 'http://10.0.0.1' }[field]
    const config = { principal: { ...instance, [field]: url }, endpoints: {} }
    assert.throws(() => open(config, false), {
      ...invalid,
      message: `oci: ${field} is plain http, which only a simulation allows`,
    })
    assert.throws(() => open(config, true), {
      ...invalid,
      message: `oci: ${field} is plain http to a host other than this machine`,
    })
  }
})

test('an absent config file is refused at the start', () => {
  assert.throws(
    () =>
      open(
        { principal: { kind: 'config-file', path: '/nonexistent', profile: 'DEFAULT' }, endpoints: {} },
        false,
      ),
    invalid,
  )
})
