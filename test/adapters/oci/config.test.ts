import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { endpointOf, OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'

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
  const own = { ...config, endpoints: { secrets: 'https://secrets.example' } }
  assert.equal(endpointOf(own, 'secrets'), 'https://secrets.example')
})

const malformed: readonly { name: string; config: object }[] = [
  { name: 'an unknown field', config: { more: 1 } },
  { name: 'an endpoint with a path', config: { endpoints: { secrets: 'https://a/b' } } },
  { name: 'an endpoint with a user', config: { endpoints: { secrets: 'https://a@b' } } },
  { name: 'an unknown principal', config: { principal: { kind: 'root' } } },
  {
    name: 'a metadata URL of another path',
    config: { principal: { ...instance, metadataUrl: 'http://127.0.0.1/' } },
  },
  { name: 'no principal', config: { principal: undefined } },
]
for (const { name, config } of malformed)
  test(`refused: ${name}`, () => {
    const parsed = OciConfig.safeParse({ principal: instance, endpoints: {}, ...config })
    assert.equal(parsed.success, false)
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
