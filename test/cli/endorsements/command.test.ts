import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { type FetchFlags, fetchByFlags } from '#cli/endorsements/fetch.ts'
import { AMD_STATE, mint, testAuthority } from '../../amd.ts'
import { virtualClock } from '../../clock.ts'
import { startKds } from '../../kds.ts'
import { cli } from '../process.ts'

const genoa = await testAuthority('Genoa')
const root = await mkdtemp(join(tmpdir(), 'cw-cli-endorsements-'))
after(() => rm(root, { recursive: true, force: true }))
const emptyFolder = () => mkdtemp(join(root, 'x-'))
const put = async (path: string, bytes: Uint8Array): Promise<string> => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return path
}
const roots = await emptyFolder()
await put(join(roots, 'Genoa', 'ark.der'), genoa.arkDer)

const REFUSED: readonly { name: string; flags: Partial<FetchFlags>; code: string }[] = [
  { name: 'an unknown product', flags: { product: ['Rome'] }, code: 'usage.invalid' },
  { name: 'a product without a root', flags: { product: ['Milan'] }, code: 'usage.invalid' },
  { name: 'a service with a path', flags: { kds: 'https://kds.example/x' }, code: 'usage.invalid' },
  { name: 'plain http to another machine', flags: { kds: 'http://kds.example' }, code: 'usage.invalid' },
  { name: 'missing roots', flags: { roots: join(root, 'nowhere') }, code: 'input.unreadable' },
  { name: 'a missing report', flags: { report: join(root, 'nowhere') }, code: 'input.unreadable' },
  { name: 'a file that is not a report', flags: { report: import.meta.filename }, code: 'report.malformed' },
]
for (const { name, flags, code } of REFUSED)
  test(`fetch refuses ${name}: ${code}`, async () => {
    const given = { to: root, product: [], kds: 'http://127.0.0.1:1', roots, ...flags }
    const signal = new AbortController().signal
    const deps = { clock: virtualClock(), signal, progress: () => {}, waiting: () => {} }
    await assert.rejects(fetchByFlags(given, deps), { code })
  })

test('fetched endorsements are shown, and verify a report without a network', async (t) => {
  const service = await startKds([genoa])
  t.after(service.close)
  const to = join(await emptyFolder(), 'new')
  const report = await put(join(root, 'report.bin'), mint(genoa).bytes)
  const fetched = await cli(
    ...['endorsements', 'fetch', '--to', to, '--report', report, '--kds', service.url],
    ...['--roots', roots, '--json'],
  )
  assert.equal(fetched.code, 0, fetched.stderr)
  assert.match(fetched.stderr, /^warning: --roots: .* replaces AMD's pinned roots; /)
  assert.equal(JSON.parse(fetched.stdout).files.length, 5)

  const shown = await cli('endorsements', 'show', to, '--json')
  assert.deepEqual([shown.code, JSON.parse(shown.stdout).sound], [1, false])
  const verified = await cli(
    ...['report', 'verify', '--report', report, '--certs', join(to, 'Genoa', 'vcek')],
    ...['--crl', join(to, 'Genoa', 'crl.der'), '--roots', to, '--authentic-only'],
  )
  assert.equal(verified.code, 0, verified.stderr)
})

test('plain http without --roots and an invalid time are usage errors', async () => {
  const http = await cli('endorsements', 'fetch', '--to', root, '--kds', 'http://127.0.0.1:1')
  assert.equal(http.code, 2)
  assert.match(http.stderr, /usage\.invalid/)
  const time = await cli('endorsements', 'show', AMD_STATE, '--at', 'tomorrow')
  assert.deepEqual([time.code, time.stdout], [2, ''])
})
