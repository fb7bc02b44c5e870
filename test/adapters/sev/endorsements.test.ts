import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { leafPath } from '#adapters/sev/endorsementFolder.ts'
import { createEndorsements, type Endorsements } from '#adapters/sev/endorsements.ts'
import { fromHex } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import { amdScheme, issueCertificate } from '#lab/amd/certificate.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { vcekRequest } from '#lab/amd/vcek.ts'
import { mint, noon, platformOf, testAuthority } from '../../amd.ts'
import { virtualClock } from '../../clock.ts'
import { startKds, type TestKds } from '../../kds.ts'
import { linesOf } from '../../log.ts'

const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const root = await mkdtemp(join(tmpdir(), 'endorsements-'))
const services: TestKds[] = []
after(async () => {
  await Promise.all(services.map(({ close }) => close()))
  await rm(root, { recursive: true, force: true })
})

const garbage = Buffer.alloc(1200, 0x41)
const emptyFolder = () => mkdtemp(join(root, 'x-'))
const put = async (path: string, bytes: Buffer): Promise<void> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}
/** The report of a platform, its leaf, and the leaf's path in a folder. */
function reportOf(authority: AmdAuthority, input: Partial<PlatformInput> = {}) {
  const { bytes, certs } = mint(authority, input)
  const { hardwareId, tcb, product } = platformOf(authority, input)
  const path = (folder: string) => leafPath(folder, product, fromHex(hardwareId), tcb.reported)
  return { report: bytes, leaf: certs[0] ?? garbage, path }
}
const clock = virtualClock()
const offline = (folder: string, log = linesOf().log): Endorsements =>
  createEndorsements({ folder }, { simulation: true, clock, log })

async function online(folder: string, options: { readonly chips?: readonly string[] } = {}) {
  const kdsClock = virtualClock()
  const service = await startKds([genoa, turin], options)
  services.push(service)
  const { log, lines } = linesOf()
  const again = () =>
    createEndorsements({ folder, kds: { url: service.url } }, { simulation: true, clock: kdsClock, log })
  return {
    service,
    lines,
    clock: kdsClock,
    endorsements: again(),
    again,
    arm: (fault: object) => service.faults.arm({ service: 'kds', times: 1, ...fault }),
    asked: () =>
      service.requests.map((line) => line.replace(/\/vcek\/v1\/(\w+)\/[0-9a-f]{16,}.*/, 'VCEK $1')),
  }
}

describe('a certificate table of the host gives', () => {
  for (const { name, authority, input } of [
    { name: 'a VCEK of Genoa', authority: genoa, input: {} },
    { name: 'a VCEK of Turin', authority: turin, input: {} },
    { name: 'a VCEK for a report of version 2', authority: genoa, input: { version: 2 } },
    { name: 'a VLEK', authority: genoa, input: { signingKey: 'vlek' } },
  ] as const)
    test(`${name}, with its issuer`, async () => {
      const { report, leaf } = reportOf(authority, input)
      const issuer = 'signingKey' in input ? authority.asvkDer : authority.askDer
      const { certsFor } = offline(await emptyFolder())
      assert.deepEqual(await certsFor(report, [leaf, issuer]), [leaf, issuer])
      assert.deepEqual(await certsFor(report, [garbage, issuer, leaf]), [leaf, issuer])
    })

  test('the leaf alone if its issuer is unknown', async () => {
    const { report, leaf } = reportOf(genoa)
    const { certsFor } = offline(await emptyFolder())
    for (const others of [[], [garbage], [genoa.asvkDer], [turin.askDer]])
      assert.deepEqual(await certsFor(report, [leaf, ...others]), [leaf])
  })

  test("the host's leaf with the folder's issuer", async () => {
    const folder = await emptyFolder()
    await put(join(folder, 'Genoa', 'ask.der'), genoa.askDer)
    await put(join(folder, 'Genoa', 'asvk.der'), genoa.asvkDer)
    for (const signingKey of ['vcek', 'vlek'] as const) {
      const { report, leaf } = reportOf(genoa, { signingKey })
      const issuer = signingKey === 'vcek' ? genoa.askDer : genoa.asvkDer
      assert.deepEqual(await offline(folder).certsFor(report, [leaf, garbage]), [leaf, issuer])
    }
  })
})

describe('the folder serves if the host gives', async () => {
  const { tcb, hardwareId } = platformOf(genoa)
  const { report, leaf, path } = reportOf(genoa)
  const otherKey = genoa.endorse('11'.repeat(64), tcb.reported)
  const wearing = (about: { hardwareId: string; issuer: AmdAuthority }) =>
    issueCertificate(
      vcekRequest(otherKey.key, {
        product: 'Genoa',
        ...about,
        tcb: tcb.reported,
        notBefore: genoa.notBefore,
      }),
      amdScheme(about.issuer.askKey),
    )
  for (const { name, brought } of [
    { name: 'nothing', brought: [] },
    { name: 'garbage', brought: [garbage, Buffer.alloc(0), Buffer.alloc(5000)] },
    { name: 'the certificate of another chip', brought: [otherKey.vcekDer] },
    {
      name: 'the certificate of another TCB',
      brought: [genoa.endorse(hardwareId, { ...tcb.reported, snp: 1 }).vcekDer],
    },
    { name: 'the certificate of a VLEK', brought: [genoa.endorseProvider('CN=x', tcb.reported).vlekDer] },
    {
      name: 'the certificate of another product',
      brought: [turin.endorse(turin.hardwareId, tcb.reported).vcekDer],
    },
    {
      name: 'a certificate with the right fields and another key',
      brought: [wearing({ hardwareId, issuer: genoa })],
    },
    { name: 'an ASK', brought: [genoa.askDer] },
    { name: 'a certificate without its last byte', brought: [leaf.subarray(0, -1)] },
    { name: 'a certificate with one byte more', brought: [Buffer.concat([leaf, Buffer.alloc(1)])] },
  ])
    test(name, async () => {
      for (const place of [path, (folder: string) => join(folder, 'vcek.der')]) {
        const folder = await emptyFolder()
        await assert.rejects(offline(folder).certsFor(report, brought), { code: 'sev.unavailable' })
        await put(place(folder), leaf)
        const [given] = await offline(folder).certsFor(report, [...brought, genoa.arkDer])
        assert.deepEqual(given, leaf)
      }
    })

  test('a leaf with the right fields and a forged signature loses against a better one', async () => {
    const folder = await emptyFolder()
    await put(join(folder, 'Genoa', 'ask.der'), genoa.askDer)
    await put(path(folder), leaf)
    const forged = Buffer.from(leaf)
    // In the middle of the signature.
    forged.writeUInt8(forged.readUInt8(forged.byteLength - 100) ^ 1, forged.byteLength - 100)
    assert.deepEqual(await offline(folder).certsFor(report, [forged]), [leaf, genoa.askDer])
  })
})

describe('without a certificate and without a service to ask', () => {
  for (const { name, input, message } of [
    { name: 'a VCEK', input: {}, message: /endorsements fetch --report/ },
    { name: 'a VLEK', input: { signingKey: 'vlek' }, message: /put it there as vlek\.der/ },
    { name: 'a chip that the host masks', input: { chipIdMasked: true }, message: /masks the chip/ },
  ] as const)
    test(`${name}: the refusal says what to do`, async () => {
      const { report } = reportOf(genoa, input)
      await assert.rejects(offline(await emptyFolder()).certsFor(report, []), {
        code: 'sev.unavailable',
        message,
      })
    })

  test('bytes that are not a report are sev.failed', async () => {
    const { certsFor } = offline(await emptyFolder())
    await assert.rejects(certsFor(Buffer.alloc(1184), []), { code: 'sev.failed' })
  })

  test('a masked chip with its certificate is left to the Verifier', async () => {
    const { report, leaf } = reportOf(genoa, { chipIdMasked: true })
    const { certsFor } = offline(await emptyFolder())
    assert.deepEqual(await certsFor(report, [leaf, genoa.askDer]), [leaf, genoa.askDer])
  })

  test('an unknown processor', async () => {
    const { report, leaf } = reportOf(genoa, { cpuid: { family: 0x1a, model: 0x50, stepping: 0 } })
    await assert.rejects(offline(await emptyFolder()).certsFor(report, [leaf]), { code: 'sev.unavailable' })
  })

  test("AMD's own issuers are built in", () => {
    assert.deepEqual(
      AMD_ROOTS.map(({ ask, asvk }) => ask !== undefined && asvk !== undefined),
      [true, true, true],
    )
  })
})

describe("AMD's key distribution service", () => {
  for (const authority of [genoa, turin])
    test(`gives the VCEK of ${authority.product} once, and the folder keeps it`, async () => {
      const folder = await emptyFolder()
      const { report, leaf, path } = reportOf(authority)
      const { endorsements, again, asked, lines } = await online(folder)
      const { product, askDer } = authority
      assert.deepEqual(await endorsements.certsFor(report, []), [leaf, askDer])
      assert.deepEqual(await endorsements.certsFor(report, [garbage]), [leaf, askDer])
      assert.deepEqual(asked(), [`200 VCEK ${product}`, `200 /vcek/v1/${product}/cert_chain`])
      assert.deepEqual(lines, [{ level: 'info', msg: 'endorsement fetched', product }])
      assert.deepEqual(await readFile(path(folder)), leaf)
      assert.equal((await stat(path(folder))).mode & 0o777, 0o600)
      assert.deepEqual(await readdir(dirname(path(folder))), [path('').split('/').at(-1)])

      // A later process.
      assert.deepEqual(await again().certsFor(report, []), [leaf, askDer])
      assert.equal(asked().filter((line) => line.includes('VCEK')).length, 1)
    })

  for (const authority of [genoa, turin])
    test(`gives certificates of ${authority.product} that the Verifier accepts`, async () => {
      const { report } = reportOf(authority)
      const { endorsements } = await online(await emptyFolder())
      const certs = await endorsements.certsFor(report, [garbage])
      const { product, arkDer } = authority
      const roots = new TrustStore([{ product, ark: arkDer, simulated: true }])
      verifyReport(parseReport(report), certs, { roots, crls: [], at: noon(authority) })
    })

  test('is not asked while the host gives a fitting certificate', async () => {
    const { report, leaf } = reportOf(genoa)
    const { endorsements, asked } = await online(await emptyFolder())
    await endorsements.certsFor(report, [leaf, genoa.askDer])
    assert.deepEqual(asked(), [])
  })

  test('is asked for the next TCB after an update of the firmware', async () => {
    const { tcb } = platformOf(genoa)
    const { endorsements, asked } = await online(await emptyFolder())
    for (const snp of [27, 28, 27]) {
      const { report, leaf } = reportOf(genoa, { tcb: { ...tcb.reported, snp } })
      assert.deepEqual((await endorsements.certsFor(report, []))[0], leaf)
    }
    assert.equal(asked().filter((line) => line === '200 VCEK Genoa').length, 2)
  })

  test('finds the product of a report of version 2', async () => {
    const { report, leaf } = reportOf(genoa, { version: 2 })
    const { endorsements, asked } = await online(await emptyFolder())
    assert.deepEqual(await endorsements.certsFor(report, []), [leaf, genoa.askDer])
    assert.deepEqual(asked().slice(0, 2), ['404 VCEK Milan', '200 VCEK Genoa'])
  })

  test('is never asked for a VLEK', async () => {
    const { report } = reportOf(genoa, { signingKey: 'vlek' })
    const { endorsements, asked } = await online(await emptyFolder())
    await assert.rejects(endorsements.certsFor(report, []), { code: 'sev.unavailable' })
    assert.deepEqual(asked(), [])
  })

  test('is asked once for the issuer of a VLEK that came alone', async () => {
    const { report, leaf } = reportOf(genoa, { signingKey: 'vlek' })
    const { endorsements, asked } = await online(await emptyFolder())
    for (let count = 0; count < 2; count += 1)
      assert.deepEqual(await endorsements.certsFor(report, [leaf]), [leaf, genoa.asvkDer])
    assert.deepEqual(asked(), ['200 /vlek/v1/Genoa/cert_chain'])
  })

  test('is asked once for concurrent callers', async () => {
    const { report, leaf } = reportOf(genoa)
    const { endorsements, asked } = await online(await emptyFolder())
    const answers = await Promise.all(Array.from({ length: 50 }, () => endorsements.certsFor(report, [])))
    for (const [given] of answers) assert.deepEqual(given, leaf)
    assert.deepEqual(asked(), ['200 VCEK Genoa', '200 /vcek/v1/Genoa/cert_chain'])
  })

  test('continues for the other callers when one has left', async () => {
    const { report, leaf } = reportOf(genoa)
    const { endorsements, arm, asked } = await online(await emptyFolder())
    arm({ latencyMs: 50 })
    const ending = new AbortController()
    const [first, second] = [
      endorsements.certsFor(report, [], ending.signal),
      endorsements.certsFor(report, []),
    ]
    setTimeout(() => ending.abort(new Error('drained')), 20)
    await assert.rejects(first, /drained/)
    assert.deepEqual((await second)[0], leaf)
    assert.equal(asked()[0], '200 VCEK Genoa')
  })

  test('is not waited for when the last caller has left', async () => {
    const { report, leaf } = reportOf(genoa)
    const { endorsements, service, asked } = await online(await emptyFolder())
    // If the request went on, the next one would wait for its answer, which never comes.
    service.faults.arm({ service: 'kds', body: 'stalled', times: 1 })
    const ending = new AbortController()
    const waiting = endorsements.certsFor(report, [], ending.signal)
    setTimeout(() => ending.abort(new Error('drained')), 30)
    await assert.rejects(waiting, /drained/)
    const before = performance.now()
    assert.deepEqual((await endorsements.certsFor(report, []))[0], leaf)
    assert.ok(performance.now() - before < 10_000)
    assert.equal(asked().filter((line) => line === '200 VCEK Genoa').length, 2)
  })

  test('is not asked again for ten minutes for a certificate that it does not have', async () => {
    const { report } = reportOf(genoa, { hardwareId: 'cd'.repeat(64) })
    const { endorsements, asked, clock: time } = await online(await emptyFolder())
    for (let count = 0; count < 3; count += 1)
      await assert.rejects(endorsements.certsFor(report, []), { code: 'kds.unknown' })
    assert.deepEqual(asked(), ['404 VCEK Genoa'])
    await time.sleep(600_000)
    await assert.rejects(endorsements.certsFor(report, []), { code: 'kds.unknown' })
    assert.equal(asked().length, 2)
  })

  test('answers garbage: nothing is kept, and the next request goes out after a minute', async () => {
    const folder = await emptyFolder()
    const { report, leaf, path } = reportOf(genoa)
    const { endorsements, arm, asked, clock: time } = await online(folder)
    arm({ body: 'garbage' })
    await assert.rejects(endorsements.certsFor(report, []), { code: 'kds.unavailable' })
    await assert.rejects(endorsements.certsFor(report, []), { code: 'kds.unavailable' })
    assert.equal(asked().length, 1)
    await assert.rejects(readFile(path(folder)), { code: 'ENOENT' })
    await time.sleep(60_000)
    assert.deepEqual((await endorsements.certsFor(report, []))[0], leaf)
  })

  test('is down: the leaf from the host goes without its issuer', async () => {
    const { report, leaf } = reportOf(genoa)
    const { endorsements, arm, lines } = await online(await emptyFolder())
    arm({ status: 500, times: 1000 })
    assert.deepEqual(await endorsements.certsFor(report, [leaf]), [leaf])
    assert.ok(lines.some(({ msg }) => msg === 'endorsement issuer not fetched'))
    await assert.rejects(endorsements.certsFor(report, []), { code: 'kds.unavailable' })
  })

  test('is asked although the host gave a forged certificate', async () => {
    const { report, leaf } = reportOf(genoa)
    const forged = Buffer.from(leaf)
    forged.writeUInt8(forged.readUInt8(forged.byteLength - 100) ^ 1, forged.byteLength - 100)
    const { endorsements } = await online(await emptyFolder())
    assert.deepEqual(await endorsements.certsFor(report, [forged, genoa.askDer]), [leaf, genoa.askDer])
  })
})

describe('the cache on disk', () => {
  for (const [name, poison] of [
    ['garbage', garbage],
    ['nothing', Buffer.alloc(0)],
    ['more than a certificate', Buffer.alloc(100_000)],
    [
      'the certificate of another chip',
      genoa.endorse('22'.repeat(64), platformOf(genoa).tcb.reported).vcekDer,
    ],
  ] as const)
    test(`is not used with ${name}, and is repaired`, async () => {
      const folder = await emptyFolder()
      const { report, leaf, path } = reportOf(genoa)
      await put(path(folder), poison)
      await assert.rejects(offline(folder).certsFor(report, []), { code: 'sev.unavailable' })
      const { endorsements } = await online(folder)
      assert.deepEqual((await endorsements.certsFor(report, []))[0], leaf)
      assert.deepEqual(await readFile(path(folder)), leaf)
    })

  test('has sixteen entries in memory above it', async () => {
    const folder = join(await emptyFolder(), 'file')
    await writeFile(folder, '')
    const { tcb } = platformOf(genoa)
    const { endorsements, asked } = await online(folder)
    const fetched = async (snp: number) => {
      const before = asked().length
      await endorsements.certsFor(reportOf(genoa, { tcb: { ...tcb.reported, snp } }).report, [])
      return asked()
        .slice(before)
        .filter((line) => line === '200 VCEK Genoa').length
    }
    for (let snp = 0; snp < 17; snp += 1) assert.equal(await fetched(snp), 1)
    assert.deepEqual([await fetched(16), await fetched(1), await fetched(0)], [0, 0, 1])
  })

  test('is replaced by memory if it cannot be written, with one warning', async () => {
    const folder = join(await emptyFolder(), 'file')
    await writeFile(folder, '')
    await chmod(folder, 0o400)
    const { tcb } = platformOf(genoa)
    const { endorsements, asked, lines } = await online(folder)
    for (const snp of [27, 26, 27]) {
      const { report, leaf } = reportOf(genoa, { tcb: { ...tcb.reported, snp } })
      assert.deepEqual((await endorsements.certsFor(report, []))[0], leaf)
    }
    assert.equal(asked().filter((line) => line === '200 VCEK Genoa').length, 2)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn').map(({ msg, code }) => [msg, code]),
      [['endorsement cannot be kept', 'output.unwritable']],
    )
  })
})
