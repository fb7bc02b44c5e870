/** TLS files that change while a program runs, and the end of their certificates. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import { systemClock } from '#adapters/system/clock.ts'
import type { LogFields } from '#adapters/system/log.ts'
import { readOwnTlsFiles, readTlsFiles, type TlsSet } from '#adapters/system/tlsFiles.ts'
import { publishExpiries, watchTlsFiles } from '#adapters/system/tlsWatch.ts'
import { signAuthority, signRevocationList } from '#cli/enrol/certificate.ts'
import type { CodedError } from '#core/errors.ts'
import { keySigner } from '#core/jws.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { createCa } from '../../verifier/tls.ts'
import { startModule } from './moduleProcess.ts'

const ca = createCa('CA')
const DAY = 86_400

async function open(t: TestContext, identity = ca.issue('first')) {
  const folder = await mkdtemp(join(tmpdir(), 'cw-tls-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = (name: string) => join(folder, name)
  const write = (name: string, text: string) => writeFile(path(name), text)
  await write('cert', identity.cert)
  await write('key', identity.key)
  await write('ca', ca.pem)
  await write('crl', ca.crl)
  const files = await readTlsFiles({
    cert: { field: 'tls.cert', path: path('cert') },
    key: { field: 'tls.key', path: path('key') },
    ca: { field: 'tls.clientCa', path: path('ca') },
    crl: { field: 'tls.clientCrl', path: path('crl') },
  })
  return { files, write, path }
}

test('files that did not change are no news; new ones are, also behind a link that moves', async (t) => {
  const { files, write, path } = await open(t)
  assert.equal(await files.refresh(), false)
  const next = ca.issue('second')
  await write('key', next.key)
  await write('cert.2', next.cert)
  await symlink(path('cert.2'), path('link'))
  await rename(path('link'), path('cert'))
  assert.equal(await files.refresh(), true)
  assert.deepEqual(files.current(), { cert: next.cert, key: next.key, ca: ca.pem, crl: [ca.crl] })
})

test('a half-written set keeps the last one and names what does not fit', async (t) => {
  const { files, write, path } = await open(t)
  const first = files.current()
  const next = ca.issue('second')
  for (const [name, text, message] of [
    ['cert', next.cert, `tls.key: ${path('key')} is not the PEM key of the certificate in tls.cert`],
    ['cert', next.cert.slice(0, 100), `tls.cert: ${path('cert')} has no certificate in PEM`],
    ['cert', '', `tls.cert: ${path('cert')} has no certificate in PEM`],
    ['ca', next.cert.replace('MII', 'MIJ'), `tls.clientCa: ${path('ca')} has a malformed certificate`],
  ] as const) {
    await write('cert', first.cert)
    await write(name, text)
    await assert.rejects(files.refresh(), { code: 'config.invalid', message })
    assert.equal(files.current(), first)
  }
  await rm(path('cert'))
  await assert.rejects(files.refresh(), { code: 'config.invalid' })
  await write('cert', next.cert)
  await write('key', next.key)
  await write('ca', ca.pem)
  assert.equal(await files.refresh(), true)
})

test('a program without CAs of others watches its own two files', async (t) => {
  const { write, path } = await open(t)
  const files = await readOwnTlsFiles({
    cert: { field: 'tls.cert', path: path('cert') },
    key: { field: 'tls.key', path: path('key') },
  })
  assert.deepEqual(Object.keys(files.current()), ['cert', 'key'])
  assert.deepEqual(
    files.expiries().map(({ file }) => file),
    ['tls.cert'],
  )
  await rm(path('ca'))
  await write('crl', '')
  assert.equal(await files.refresh(), false)
  const next = ca.issue('second')
  await write('cert', next.cert)
  const message = `tls.key: ${path('key')} is not the PEM key of the certificate in tls.cert`
  await assert.rejects(files.refresh(), { code: 'config.invalid', message })
  await write('key', next.key)
  assert.equal(await files.refresh(), true)
  assert.deepEqual(files.current(), next)
})

test('every CA needs a revocation list that it signed, and no list is a stranger', async (t) => {
  const { files, write, path } = await open(t)
  const first = files.current()
  const other = createCa('CA 2')
  const unknown = '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n'
  for (const [caPem, crl, message] of [
    [ca.pem, '', 'has no revocation list in PEM'],
    [ca.pem, ca.pem, 'has no revocation list in PEM'],
    [ca.pem, other.crl, 'has a revocation list that is not signed by a CA of the other file'],
    [ca.pem, ca.crl + other.crl, 'has a revocation list that is not signed by a CA of the other file'],
    [ca.pem + other.pem, ca.crl, 'has no revocation list of the CA CN=CA 2'],
    [ca.pem, unknown, 'has a revocation list that'],
  ] as const) {
    await write('ca', caPem)
    await write('crl', crl)
    await assert.rejects(files.refresh(), ({ code, message: found }: CodedError) => {
      assert.equal(code, 'config.invalid')
      assert.ok(found.startsWith(`tls.clientCrl: ${path('crl')} ${message}`), found)
      return true
    })
    assert.equal(files.current(), first)
  }
  await write('ca', ca.pem + other.pem)
  await write('crl', other.crl + ca.crl)
  assert.equal(await files.refresh(), true)
  assert.deepEqual(files.current().crl, [other.crl, ca.crl])
})

test('CAs of different kinds of key stand side by side while one replaces the other', async (t) => {
  const { files, write } = await open(t)
  const now = systemClock.now()
  const period = { notBefore: addSeconds(now, -DAY), notAfter: addSeconds(now, DAY) }
  const keys = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'P-384' })]
  const others = await Promise.all(
    keys.map(async ({ privateKey }, index) => {
      const issuer = { name: `CA ${index}`, purpose: 'clientAuth', signer: keySigner(privateKey) } as const
      const list = { number: 1, thisUpdate: period.notBefore, nextUpdate: period.notAfter, revoked: [] }
      return {
        pem: await signAuthority(issuer, Buffer.of(64, index), period),
        crl: await signRevocationList(issuer, list),
      }
    }),
  )
  for (const authorities of [
    [...others, ca],
    [ca, ...others.toReversed()],
  ]) {
    await write('ca', authorities.map(({ pem }) => pem).join(''))
    await write('crl', authorities.map(({ crl }) => crl).join(''))
    assert.equal(await files.refresh(), true)
    assert.deepEqual(
      files.current().crl,
      authorities.map(({ crl }) => crl),
    )
  }
})

test('the end of the first list to end is watched, and a new list alone is a new set', async (t) => {
  const { files, write } = await open(t)
  await write('crl', ca.revoke([], DAY))
  assert.equal(await files.refresh(), true)
  const end = files.expiries().find(({ file }) => file === 'tls.clientCrl')
  assert.equal(end?.what, 'revocation list')
  assert.equal(end.serial, 'CN=CA')
  assert.ok(Math.abs(end.notAfter - (systemClock.now() + DAY)) < 60)
})

test('a follower gets every set after the one that it has seen', async (t) => {
  const { files, write } = await open(t)
  const seen = files.current()
  const followed: TlsSet[] = []
  const replace = async (name: string) => {
    const next = ca.issue(name)
    await write('cert', next.cert)
    await write('key', next.key)
    await files.refresh()
  }
  await replace('second')
  files.follow(seen, (set) => followed.push(set))
  assert.deepEqual(followed, [files.current()])
  await replace('third')
  assert.deepEqual(followed[1], files.current())
})

test('the log warns daily from two weeks before the end of a certificate; a gauge has the days', async (t) => {
  const { files } = await open(t, ca.issue('short', 20 * DAY))
  const ends = files.expiries().map(({ notAfter }) => notAfter)
  const [end = 0] = ends
  const only = { ...files, expiries: () => files.expiries().slice(0, 1) }
  const lines: string[] = []
  const say = (message: string, { file, daysLeft }: LogFields = {}) => {
    lines.push([message, file, daysLeft].join(' ').trim())
  }
  const times = [20, 14, 13.9, 13.5, 12.9, 0.5, -0.1, -0.9, -1.1].map((days) => end - days * DAY)
  const stop = new AbortController()
  let at = times.shift() ?? 0
  await watchTlsFiles(
    { ...only, refresh: async () => false },
    {
      clock: { now: () => toUnixSeconds(Math.floor(at)) },
      log: { info: assert.fail, warn: say, error: say },
      reload: {
        pause: async () => {
          const next = times.shift()
          if (next === undefined) stop.abort()
          else at = next
        },
      },
      signal: stop.signal,
    },
  )
  assert.deepEqual(lines, [
    'certificate expires tls.cert 13',
    'certificate expires tls.cert 12',
    'certificate expires tls.cert 0',
    'certificate has expired tls.cert',
    'certificate has expired tls.cert',
  ])
  const registry = new Registry()
  publishExpiries(registry, only, { now: () => toUnixSeconds(end - 2 * DAY) })
  assert.match(await registry.metrics(), /^cw_certificate_days_left\{file="tls\.cert"\} 2$/m)
})

test('refused files are told once, and once that they are right again', async (t) => {
  const { files, write } = await open(t)
  const { cert, key } = ca.issue('second')
  const steps = [() => write('cert', cert), async () => {}, () => write('key', key), async () => {}]
  const lines: string[] = []
  const say = (message: string) => {
    lines.push(message)
  }
  const stop = new AbortController()
  const pause = async () => {
    const step = steps.shift()
    if (step === undefined) stop.abort()
    await step?.()
  }
  const log = { info: say, warn: () => {}, error: say }
  await watchTlsFiles(files, { clock: systemClock, log, reload: { pause }, signal: stop.signal })
  assert.deepEqual(lines, ['TLS files refused, the last ones stay', 'TLS files in use'])
})

test('SIGHUP ends a pause, also one that begins later, and no program', async () => {
  const { child, ended } = startModule(`
    import '#adapters/system/endWhileLoading.ts'
    import { systemClock } from '#adapters/system/clock.ts'
    import { listenForReload } from '#adapters/system/reload.ts'
    const never = new AbortController().signal
    process.kill(process.pid, 'SIGHUP')
    await systemClock.sleep(50)
    const reload = listenForReload(systemClock)
    const pause = reload.pause(3_600_000, never)
    process.stdout.write('pausing ')
    await pause
    process.kill(process.pid, 'SIGHUP')
    await systemClock.sleep(50)
    await reload.pause(3_600_000, never)
    await reload.pause(1, never)
    const stop = new AbortController()
    setImmediate(() => stop.abort(new Error('stopped')))
    await reload.pause(3_600_000, stop.signal).catch(({ message }) => process.stdout.write(message))
  `)
  await once(child.stdout, 'data')
  child.kill('SIGHUP')
  const { code, stdout } = await ended
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'pausing stopped' })
})
