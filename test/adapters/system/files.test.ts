import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  assertAbsent,
  createFile,
  readFileUpTo,
  readIfPresent,
  replaceFile,
  syncFolder,
} from '#adapters/system/files.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { temporaryFolder } from '../evidence/stores.ts'

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

async function* chunksOf(...texts: readonly string[]) {
  for (const text of texts) yield utf8(text)
}

describe('readFileUpTo', () => {
  test('reads a file of up to the limit', async () => {
    const path = join(await temporaryFolder(), 'a')
    for (const size of [0, 1, 100_000]) {
      await writeFile(path, Buffer.alloc(size, 'x'))
      assert.deepEqual(await readFileUpTo(path, 100_000, 'input.unreadable'), Buffer.alloc(size, 'x'))
    }
  })

  test('refuses one byte more, and uses the name that the caller gives', async () => {
    const path = join(await temporaryFolder(), 'a')
    await writeFile(path, '12345')
    await assert.rejects(readFileUpTo(path, 4, 'config.invalid', 'tls.key: a'), {
      code: 'config.invalid',
      message: 'tls.key: a has more than 4 bytes',
    })
  })

  test('reads no further than the limit, whatever size the file claims', async () => {
    await assert.rejects(readFileUpTo('/dev/zero', 1000, 'input.unreadable'), {
      code: 'input.unreadable',
      message: '/dev/zero has more than 1000 bytes',
    })
  })

  test('says why a file cannot be read', async () => {
    const folder = await temporaryFolder()
    for (const [path, errno] of [
      [join(folder, 'none'), 'ENOENT'],
      [folder, 'EISDIR'],
    ] as const)
      await assert.rejects(readFileUpTo(path, 10, 'input.unreadable'), {
        code: 'input.unreadable',
        message: `${path} cannot be read: ${errno}`,
      })
  })
})

test('readIfPresent tells an absent file from one that cannot be read', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'a')
  await writeFile(path, 'text')
  assert.deepEqual(await readIfPresent(path, 4, 'input.unreadable'), utf8('text'))
  assert.equal(await readIfPresent(join(folder, 'none'), 4, 'input.unreadable'), undefined)
  assert.equal(await readIfPresent(join(path, 'below'), 4, 'input.unreadable'), undefined)
  await assert.rejects(readIfPresent(path, 3, 'input.unreadable'), { code: 'input.unreadable' })
  await assert.rejects(readIfPresent(folder, 3, 'input.unreadable'), { code: 'input.unreadable' })
})

describe('createFile', () => {
  test('writes all chunks to a file that only its owner may read, and returns the size', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'a')
    assert.equal(await createFile(path, chunksOf('one', '', 'two')), 6)
    assert.equal(await readFile(path, 'utf8'), 'onetwo')
    assert.equal(await modeOf(path), 0o600)
    assert.deepEqual(await readdir(folder), ['a'])
  })

  test('never replaces a file, and leaves no draft', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'a')
    await writeFile(path, 'first')
    await assert.rejects(createFile(path, chunksOf('second')), { code: 'output.exists' })
    assert.equal(await readFile(path, 'utf8'), 'first')
    assert.deepEqual(await readdir(folder), ['a'])
  })

  test('lets exactly one of several writers succeed', async () => {
    const path = join(await temporaryFolder(), 'a')
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, writer) => createFile(path, [Buffer.alloc(1000, writer)])),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    const content = await readFile(path)
    assert.deepEqual(content, Buffer.alloc(1000, content[0]))
  })

  test('passes on an error of its chunks and leaves nothing', async () => {
    const folder = await temporaryFolder()
    const fault = new CodedError('object.malformed', 'cut')
    const broken = async function* () {
      yield utf8('begun')
      assert.equal((await readdir(folder)).includes('a'), false)
      throw fault
    }
    await assert.rejects(createFile(join(folder, 'a'), broken()), (error) => error === fault)
    assert.deepEqual(await readdir(folder), [])
  })

  test('writes its draft to the path that the caller gives', async () => {
    const folder = await temporaryFolder()
    const draft = join(folder, 'draft')
    const watched = async function* () {
      yield utf8('x')
      assert.deepEqual(await readdir(folder), ['draft'])
    }
    await createFile(join(folder, 'a'), watched(), { draft, mode: 0o640 })
    assert.deepEqual(await readdir(folder), ['a'])
    assert.equal(await modeOf(join(folder, 'a')), 0o640)
  })

  test('takes every name that the file system takes', async () => {
    const folder = await temporaryFolder()
    const name = 'é'.repeat(127)
    await createFile(join(folder, name), [utf8('x')])
    await replaceFile(join(folder, name), 'y')
    assert.deepEqual(await readdir(folder), [name])
  })

  test('cannot write into a folder that is absent', async () => {
    const path = join(await temporaryFolder(), 'none', 'a')
    await assert.rejects(createFile(path, []), {
      code: 'output.unwritable',
      message: `${path} cannot be written: ENOENT`,
    })
  })
})

describe('replaceFile', () => {
  test('creates the file and its folder for their owner only', async () => {
    const path = join(await temporaryFolder(), 'new', 'a')
    await replaceFile(path, 'text')
    assert.equal(await readFile(path, 'utf8'), 'text')
    assert.deepEqual([await modeOf(path), await modeOf(join(path, '..'))], [0o600, 0o700])
  })

  test('gives a reader the old content or the new one, never a part', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'a')
    const contents = [0, 1, 2, 3].map((fill) => Buffer.alloc(50_000, fill))
    await replaceFile(path, Buffer.alloc(50_000, 9))
    const writing = Promise.all(contents.map((content) => replaceFile(path, content)))
    for (let reads = 0; reads < 20; reads++) {
      const read = await readFile(path)
      assert.deepEqual(read, Buffer.alloc(50_000, read[0]))
    }
    await writing
    assert.deepEqual(await readdir(folder), ['a'])
  })

  test('keeps the old content and leaves no draft if it fails', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'a', 'inside'), { recursive: true })
    await assert.rejects(replaceFile(join(folder, 'a'), 'text'), { code: 'output.unwritable' })
    assert.deepEqual(await readdir(folder), ['a'])
    await writeFile(join(folder, 'file'), 'x')
    await assert.rejects(replaceFile(join(folder, 'file', 'below'), 'text'), { code: 'output.unwritable' })
  })
})

test('assertAbsent refuses a name that is taken', async () => {
  const folder = await temporaryFolder()
  await assertAbsent(join(folder, 'a'))
  await writeFile(join(folder, 'a'), '')
  await assert.rejects(assertAbsent(join(folder, 'a')), { code: 'output.exists' })
})

test('syncFolder takes a folder that exists', async () => {
  const folder = await temporaryFolder()
  await syncFolder(folder)
  await assert.rejects(syncFolder(join(folder, 'none')), { code: 'ENOENT' })
})
