import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { AbsolutePath, readConfig } from '#adapters/system/configFile.ts'

const Schema = z.strictObject({ url: z.string().startsWith('https:'), port: z.int() })
let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cw-config-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function read(content: string | Uint8Array) {
  const path = join(folder, 'program.json')
  await writeFile(path, content)
  return readConfig(path, Schema, 'worker')
}

test('a configuration file may have any layout', async () => {
  assert.deepEqual(await read('{\n  "url": "https://a.example",\n  "port": 1\n}\n'), {
    url: 'https://a.example',
    port: 1,
  })
})

for (const { name, content, message } of [
  { name: 'that is not JSON', content: '{', message: /^worker: .*program\.json is not JSON in UTF-8$/ },
  { name: 'that is not UTF-8', content: Buffer.from('7b22ff', 'hex'), message: /is not JSON in UTF-8$/ },
  {
    name: 'larger than a MiB',
    content: ' '.repeat(1024 * 1024 + 1),
    message: /^worker: the configuration file .*program\.json has more than 1048576 bytes$/,
  },
  {
    name: 'with several mistakes, and names all of them',
    content: '{"url": "http://a.example", "prot": 1}',
    message: /^worker configuration is malformed: url: .*; port: .*; unknown field prot$/,
  },
])
  test(`refuses a configuration ${name}`, async () => {
    await assert.rejects(read(content), { code: 'config.invalid', message })
  })

test('a message never repeats a value', async () => {
  await assert.rejects(read('{"url": "secret", "port": "secret"}'), (error: Error) => {
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
})

test('an absent file is named', async () => {
  await assert.rejects(readConfig('/nowhere/worker.json', Schema, 'worker'), {
    code: 'config.invalid',
    message: 'worker: the configuration file /nowhere/worker.json cannot be read: ENOENT',
  })
})

test('an absolute path begins with / and has at most 4000 characters, none of them a NUL', () => {
  for (const path of ['/', '/a b', '/'.padEnd(4000, 'a')]) assert.equal(AbsolutePath.parse(path), path)
  for (const path of ['', 'a', './a', '/a\0b', '/'.padEnd(4001, 'a')])
    assert.equal(AbsolutePath.safeParse(path).success, false)
})
