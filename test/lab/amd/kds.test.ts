import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TrustStore } from '#core/snp/chain.ts'
import { openCrl } from '#core/snp/crl.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'
import { startKds } from '../../kds.ts'

const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
let passed = 0
const kds = await startKds([genoa, turin], {
  chips: ['ab'.repeat(64)],
  vcekSeconds: 10,
  now: () => noon(genoa) * 1000 + passed,
})
after(kds.close)

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`${kds.url}${path}`, { method, redirect: 'manual' })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    retryAfter: response.headers.get('retry-after'),
    body: Buffer.from(await response.arrayBuffer()),
  }
}
/** A request after the rate limit of the last VCEK has passed. */
const later = (path: string) => {
  passed += 10_000
  return get(path)
}
const GENOA_TCB = 'blSPL=10&teeSPL=0&snpSPL=27&ucodeSPL=86'
const TURIN_TCB = 'fmcSPL=1&blSPL=3&teeSPL=2&snpSPL=5&ucodeSPL=97'

for (const [authority, query] of [
  [genoa, GENOA_TCB],
  [turin, TURIN_TCB],
] as const)
  test(`the VCEK of ${authority.product} verifies a report of its chip and TCB`, async () => {
    const { product, hardwareId } = authority
    const { status, type, body } = await later(`/vcek/v1/${product}/${hardwareId}?${query}`)
    assert.deepEqual([status, type], [200, 'application/pkix-cert'])
    verifyReport(parseReport(mint(authority).bytes), [body], {
      roots: storeOf(authority),
      crls: [],
      at: noon(authority),
    })
  })

for (const kind of ['vcek', 'vlek'] as const)
  test(`the chain of ${kind}: the intermediate, then the ARK, in PEM`, async () => {
    const { status, type, body } = await get(`/${kind}/v1/Genoa/cert_chain`)
    assert.deepEqual([status, type], [200, 'application/x-pem-file'])
    const ders = body
      .toString()
      .split('-----END CERTIFICATE-----\n')
      .map((block) => Buffer.from(block.replace(/-----.*-----/, ''), 'base64'))
    assert.deepEqual(ders, [kind === 'vcek' ? genoa.askDer : genoa.asvkDer, genoa.arkDer, Buffer.alloc(0)])
  })

test('the current revocation list is the same under both paths', async () => {
  const { roots } = new TrustStore([{ product: 'Genoa', ark: genoa.arkDer, simulated: true }])
  for (const kind of ['vcek', 'vlek']) {
    const { status, type, body } = await get(`/${kind}/v1/Genoa/crl`)
    assert.deepEqual([status, type], [200, 'application/pkix-crl'])
    const { thisUpdate, nextUpdate } = openCrl(body, roots)
    assert.ok(thisUpdate <= noon(genoa) && noon(genoa) < nextUpdate)
  }
})

test('one VCEK in ten seconds for all clients together; other requests are not limited', async () => {
  const path = `/vcek/v1/Genoa/${genoa.hardwareId}?${GENOA_TCB}`
  assert.equal((await later(path)).status, 200)
  const { status, retryAfter } = await get(`/vcek/v1/Turin/${turin.hardwareId}?${TURIN_TCB}`)
  assert.deepEqual([status, retryAfter], [429, '10'])
  passed += 9_500
  assert.deepEqual((await get(path)).retryAfter, '1')
  assert.equal((await get('/vcek/v1/Genoa/crl')).status, 200)
  passed += 500
  assert.equal((await get(path)).status, 200)
})

describe('refused requests', () => {
  const other = '00'.repeat(64)
  for (const [what, path, status] of [
    ['an unknown chip', `/vcek/v1/Genoa/${other}?${GENOA_TCB}`, 404],
    ['an unknown product', `/vcek/v1/Milan/${other}?${GENOA_TCB}`, 404],
    ['another API version', `/vcek/v2/Genoa/cert_chain`, 404],
    ['a VLEK', `/vlek/v1/Genoa/${genoa.hardwareId}?${GENOA_TCB}`, 404],
    ['a longer path', '/vcek/v1/Genoa/crl/x', 404],
    ['a hardware id of another length', `/vcek/v1/Genoa/${other.slice(2)}?${GENOA_TCB}`, 400],
    ['Turin with 64 bytes', `/vcek/v1/Turin/${other}?${TURIN_TCB}`, 400],
    ['a hardware id in upper case', `/vcek/v1/Genoa/${'AB'.repeat(64)}?${GENOA_TCB}`, 400],
    ['no TCB', `/vcek/v1/Genoa/${genoa.hardwareId}`, 400],
    ['the TCB of Turin for Genoa', `/vcek/v1/Genoa/${genoa.hardwareId}?${TURIN_TCB}`, 400],
    ['the TCB of Genoa for Turin', `/vcek/v1/Turin/${turin.hardwareId}?${GENOA_TCB}`, 400],
    ['a level of 256', `/vcek/v1/Genoa/${genoa.hardwareId}?${GENOA_TCB.replace('86', '256')}`, 400],
    [
      'a level that is not a number',
      `/vcek/v1/Genoa/${genoa.hardwareId}?${GENOA_TCB.replace('86', 'x')}`,
      400,
    ],
  ] as const)
    test(what, async () => assert.equal((await later(path)).status, status))

  test('another method', async () => assert.equal((await get('/vcek/v1/Genoa/crl', 'POST')).status, 405))
})

test('another chip of the host has its own certificate', async () => {
  const hardwareId = 'ab'.repeat(64)
  const { body } = await later(`/vcek/v1/Genoa/${hardwareId}?${GENOA_TCB}`)
  const { tcb } = platformOf(genoa)
  assert.deepEqual(body, genoa.endorse(hardwareId, tcb.reported).vcekDer)
})

describe('faults', () => {
  const arm = (fault: object) => kds.faults.arm({ service: 'kds', times: 1, ...fault })
  test('a status', async () => {
    arm({ status: 503 })
    const { status, retryAfter } = await get('/vcek/v1/Genoa/crl')
    assert.deepEqual([status, retryAfter], [503, '1'])
  })
  test('garbage, an oversized body, a redirect', async () => {
    for (const body of ['garbage', 'oversized', 'redirect']) arm({ body })
    assert.match((await get('/vcek/v1/Genoa/crl')).body.toString(), /^garbage/)
    assert.equal((await get('/vcek/v1/Genoa/crl')).body.byteLength, 8 * 1024 * 1024)
    assert.equal((await get('/vcek/v1/Genoa/crl')).status, 302)
  })
  test('a connection that breaks', async () => {
    arm({ reset: 'before' })
    await assert.rejects(get('/vcek/v1/Genoa/crl'))
  })
  test('an answer that never ends', async () => {
    arm({ body: 'stalled' })
    const response = await fetch(`${kds.url}/vcek/v1/Genoa/crl`)
    const reader = response.body?.getReader()
    assert.ok(
      Number(response.headers.get('content-length')) > ((await reader?.read())?.value?.byteLength ?? 0),
    )
    await reader?.cancel()
  })
})
