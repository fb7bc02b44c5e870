import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createKds } from '#adapters/sev/kds.ts'
import type { Crl } from '#core/snp/crl.ts'
import { toUnixSeconds } from '#core/time.ts'
import { createRevocationLists, daysLeft } from '../../src/verifier/revocationLists.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { crlOf, noon, storeOf, testAuthority } from '../amd.ts'
import { virtualClock } from '../clock.ts'
import { startKds, type TestKds } from '../kds.ts'
import { linesOf } from '../log.ts'

const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const DAY = 86_400
const HOUR_MS = 3_600_000
const start = noon(genoa)
const services: TestKds[] = []
after(() => Promise.all(services.map(({ close }) => close())))

/**
 * A Verifier's lists. `list` is in the folder; `given` is AMD's answer (undefined: no service is configured).
 */
async function open(options: { readonly list?: Buffer; readonly given?: Buffer } = {}) {
  const folder = await temporaryFolder()
  const path = join(folder, 'Genoa', 'crl.der')
  const put = async (der: Buffer) => {
    await mkdir(join(folder, 'Genoa'), { recursive: true })
    await writeFile(path, der)
  }
  if (options.list !== undefined) await put(options.list)
  const ticking = virtualClock()
  const clock = { ...ticking, now: () => toUnixSeconds(start + Math.floor(ticking.monotonic() / 1000)) }
  let given = options.given ?? genoa.arkDer
  const service = await startKds([{ ...genoa, crl: () => given }])
  services.push(service)
  const { log, lines } = linesOf()
  const failures: string[] = []
  const trusted = storeOf(genoa)
  const client = createKds({ url: service.url, simulation: true, clock })
  const lists = createRevocationLists({
    folder,
    roots: trusted,
    crls: [],
    kds: options.given === undefined ? undefined : { client, refreshSeconds: 3600 },
    clock,
    log,
    failed: (product, code) => failures.push(`${product} ${code}`),
  })
  return {
    ...lists,
    refresh: (signal = new AbortController().signal) => lists.refresh(signal),
    path,
    put,
    give: (der: Buffer) => {
      given = der
    },
    service,
    pass: (milliseconds: number) => clock.sleep(milliseconds),
    lines,
    failures,
    numbers: () => lists.held().map(({ product, number }: Crl) => `${product} ${number}`),
  }
}

describe('from the folder', () => {
  test('the list in the folder is in force, a newer one replaces it, no service is asked', async () => {
    const lists = await open()
    await lists.refresh()
    assert.deepEqual(lists.held(), [])
    await lists.put(crlOf(genoa, { number: 4 }))
    await lists.refresh()
    await lists.refresh()
    await lists.put(crlOf(genoa, { number: 5, revoked: [0x20001] }))
    await lists.refresh()
    assert.deepEqual(lists.numbers(), ['Genoa 05'])
    assert.ok(lists.held()[0]?.revoked.has('020001'))
    assert.deepEqual(
      lists.lines.map(({ msg, number }) => [msg, number]),
      [
        ['revocation list in force', '04'],
        ['revocation list in force', '05'],
      ],
    )
    assert.deepEqual(lists.service.requests, [])
  })

  for (const { name, der, code } of [
    { name: 'a lower number', der: () => crlOf(genoa, { number: 3 }), code: 'crl.superseded' },
    {
      name: 'a lower number with a later date',
      der: () => crlOf(genoa, { number: 3, thisUpdate: start - 60 }),
      code: 'crl.superseded',
    },
    {
      name: 'an earlier date',
      der: () => crlOf(genoa, { number: 4, thisUpdate: start - 7200 }),
      code: 'crl.superseded',
    },
    {
      name: 'a higher number with an earlier date',
      der: () => crlOf(genoa, { number: 9, thisUpdate: start - 7200 }),
      code: 'crl.superseded',
    },
    {
      name: 'a date in the future',
      der: () => crlOf(genoa, { number: 5, thisUpdate: start + 301 }),
      code: 'crl.stale',
    },
    { name: 'another root', der: () => crlOf(turin, { number: 5 }), code: 'crl.untrusted' },
    { name: 'garbage', der: () => Buffer.alloc(900), code: 'crl.malformed' },
  ] as const)
    test(`refused: ${name}; the held list stays`, async () => {
      const lists = await open({ list: crlOf(genoa, { number: 4 }) })
      await lists.refresh()
      await lists.put(der())
      await assert.rejects(lists.refresh(), { code })
      assert.deepEqual(lists.numbers(), ['Genoa 04'])
      assert.deepEqual(lists.failures, [`Genoa ${code}`])
    })

  test('numbers are compared as numbers, not as text', async () => {
    const lists = await open({ list: crlOf(genoa, { number: 0xff }) })
    await lists.refresh()
    await lists.put(crlOf(genoa, { number: 0x100 }))
    await lists.refresh()
    assert.deepEqual(lists.numbers(), ['Genoa 0100'])
  })
})

describe('from AMD', () => {
  test('a newer list is put in force and stored; the service is asked again after an hour', async () => {
    const newer = crlOf(genoa, { number: 5 })
    const lists = await open({ list: crlOf(genoa, { number: 4 }), given: newer })
    await lists.refresh()
    assert.deepEqual(lists.numbers(), ['Genoa 05'])
    assert.deepEqual(await readFile(lists.path), newer)
    await lists.refresh()
    await lists.pass(0.89 * HOUR_MS)
    await lists.refresh()
    assert.deepEqual(lists.service.requests, ['200 /vcek/v1/Genoa/crl'])
    await lists.pass(0.22 * HOUR_MS)
    await lists.refresh()
    assert.equal(lists.service.requests.length, 2)
    assert.deepEqual(lists.failures, [])
  })

  test('an older list is refused; the held one stays; the service is asked again after ten minutes', async () => {
    const list = crlOf(genoa, { number: 4, revoked: [0x20001] })
    const lists = await open({ list, given: crlOf(genoa, { number: 3 }) })
    await assert.rejects(lists.refresh(), { code: 'crl.superseded' })
    assert.deepEqual(lists.numbers(), ['Genoa 04'])
    assert.deepEqual(await readFile(lists.path), list)
    await lists.refresh()
    assert.equal(lists.service.requests.length, 1)
    lists.give(crlOf(genoa, { number: 5 }))
    await lists.pass(661_000)
    await lists.refresh()
    assert.deepEqual(lists.numbers(), ['Genoa 05'])
    assert.deepEqual(lists.failures, ['Genoa crl.superseded'])
  })

  test('garbage, too much, silence: the held list stays', async () => {
    for (const [fault, code] of [
      [{ body: 'garbage', times: 1 }, 'crl.malformed'],
      [{ body: 'oversized', times: 100 }, 'kds.unavailable'],
      [{ status: 500, times: 100 }, 'kds.unavailable'],
    ] as const) {
      const lists = await open({ list: crlOf(genoa, { number: 4 }), given: crlOf(genoa, { number: 5 }) })
      lists.service.faults.arm({ service: 'kds', ...fault })
      await assert.rejects(lists.refresh(), { code })
      assert.deepEqual(lists.numbers(), ['Genoa 04'])
      assert.deepEqual(lists.failures, [`Genoa ${code}`])
    }
  })

  test('a broken file in the folder is replaced', async () => {
    const newer = crlOf(genoa, { number: 5 })
    const lists = await open({ list: Buffer.alloc(10), given: newer })
    await assert.rejects(lists.refresh(), { code: 'crl.malformed' })
    assert.deepEqual(lists.numbers(), ['Genoa 05'])
    assert.deepEqual(await readFile(lists.path), newer)
    await lists.refresh()
  })

  test('a folder that cannot be written is logged once; the list is in force from memory', async () => {
    const lists = await open({ given: crlOf(genoa, { number: 5 }) })
    // A file in place of the product's folder.
    const place = join(lists.path, '..')
    await writeFile(place, '')
    await chmod(place, 0o400)
    await lists.refresh()
    lists.give(crlOf(genoa, { number: 6 }))
    await lists.pass(2 * HOUR_MS)
    await lists.refresh()
    assert.deepEqual(lists.numbers(), ['Genoa 06'])
    assert.deepEqual(
      lists.lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg),
      ['revocation list cannot be kept'],
    )
  })

  test('the end of the Verifier is not a failure', async () => {
    const lists = await open({ given: crlOf(genoa) })
    await assert.rejects(lists.refresh(AbortSignal.abort(new Error('drained'))), /drained/)
    assert.deepEqual(lists.failures, [])
  })
})

describe('age', () => {
  test('a list that ends within a week is logged once, and once more when it has ended', async () => {
    const lists = await open({ list: crlOf(genoa, { thisUpdate: start - DAY, nextUpdate: start + 8 * DAY }) })
    await lists.refresh()
    const [held] = lists.held()
    assert.ok(held)
    assert.deepEqual([daysLeft(held, start), daysLeft(held, start + 9 * DAY)], [8, -1])
    const said = () => lists.lines.map(({ level, msg }) => `${level} ${msg}`)
    assert.deepEqual(said(), ['info revocation list in force'])
    await lists.pass(1.1 * DAY * 1000)
    await lists.refresh()
    await lists.refresh()
    assert.deepEqual(said().slice(1), ['warn revocation list ends soon'])
    await lists.pass(7 * DAY * 1000)
    await lists.refresh()
    await lists.refresh()
    assert.deepEqual(said().slice(2), ['error revocation list has ended'])
    // It is still held: its revocations count.
    assert.equal(lists.held().length, 1)
  })
})
