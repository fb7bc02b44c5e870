import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLineSplitter } from '#core/fhir/lines.ts'

function split(chunks: readonly Uint8Array[], maxLineBytes?: number): string[] {
  const lines: string[] = []
  const splitter = createLineSplitter(maxLineBytes)
  const onLine = (line: Uint8Array): void => {
    lines.push(Buffer.from(line).toString())
  }
  for (const chunk of chunks) {
    const reused = Buffer.from(chunk)
    splitter.push(reused, onLine)
    // The caller may reuse the memory of a chunk.
    reused.fill(0x58)
  }
  splitter.end(onLine)
  return lines
}

const cases: readonly (readonly [name: string, text: string, lines: string[]])[] = [
  ['nothing', '', []],
  ['LF', 'a\nb\n', ['a', 'b']],
  ['CRLF', 'a\r\nb\r\n', ['a', 'b']],
  ['no LF at the end', 'a\nb', ['a', 'b']],
  ['blank lines', '\n\r\n \t\na\n\n', ['a']],
  ['a CR inside', 'a\rb\n', ['a\rb']],
  ['U+2028', 'a\u2028b\n', ['a\u2028b']],
]
for (const [name, text, lines] of cases) {
  test(`splits at ${name}`, () => assert.deepEqual(split([Buffer.from(text)]), lines))
  test(`splits at ${name}, byte by byte`, () =>
    assert.deepEqual(split([...Buffer.from(text)].map((byte) => Buffer.of(byte))), lines))
}

test('any cut of the stream gives the same lines', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (chunks) => {
      const text = chunks.map((chunk) =>
        Buffer.from(chunk.map((byte) => (byte < 200 ? (byte % 5) + 0x61 : 10))),
      )
      assert.deepEqual(split(text), split([Buffer.concat(text)]))
    }),
  )
})

for (const text of ['12345678\n', '1\n12345678', '12345678\r\n'])
  test(`accepts a line of maximum length: ${JSON.stringify(text)}`, () =>
    assert.equal(split([Buffer.from(text)], 8).at(-1), '12345678'))

for (const chunks of [['123456789\n'], ['12345', '6789\n'], ['123456789'], ['1234567890']])
  test(`refuses a line that is too long: ${chunks.join(' + ')}`, () =>
    assert.throws(
      () =>
        split(
          chunks.map((chunk) => Buffer.from(chunk)),
          8,
        ),
      {
        code: 'resource.malformed',
        message: 'line 1 has more than 8 bytes',
      },
    ))

test('refuses an endless line before it buffers much more than the limit', () => {
  const splitter = createLineSplitter(1000)
  const never = () => assert.fail('no line ends')
  assert.throws(
    () => {
      for (let i = 0; i < 12; i++) splitter.push(Buffer.alloc(100, 0x61), never)
    },
    { code: 'resource.malformed' },
  )
})

for (const chunks of [['\ufeff{}\n'], ['\ufeff{}']])
  test('refuses a byte order mark', () =>
    assert.throws(() => split(chunks.map((chunk) => Buffer.from(chunk))), { code: 'resource.malformed' }))

for (const [name, blank] of [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['a space', ' \n'],
] as const)
  test(`64 MiB of blank lines of ${name} cost no call per line, and all of them count`, () => {
    const chunk = Buffer.alloc(1024 * 1024, blank)
    const calls = { onLine: 0, chunk: 0 }
    Object.assign(chunk, {
      indexOf: (value: number, from?: number) => {
        calls.chunk += 1
        return Uint8Array.prototype.indexOf.call(chunk, value, from)
      },
      subarray: (from?: number, to?: number) => {
        calls.chunk += 1
        return Buffer.prototype.subarray.call(chunk, from, to)
      },
    })
    const splitter = createLineSplitter(8)
    const onLine = () => {
      calls.onLine += 1
    }
    for (let i = 0; i < 64; i++) splitter.push(chunk, onLine)
    assert.equal(calls.onLine, 0)
    assert.ok(calls.chunk <= 64 * 4, `${calls.chunk} calls`)
    const lines = (64 * 1024 * 1024) / blank.length
    assert.throws(() => splitter.push(Buffer.from('123456789\n'), onLine), {
      message: `line ${lines + 1} has more than 8 bytes`,
    })
  })

test('a run of blank lines may be cut anywhere', () => {
  const text = Buffer.from('\n \r\n\t\n\r\n\r\na\n\n \t \r\n\r \n  b\r\n \n')
  const whole = split([text])
  assert.deepEqual(whole, ['a', '\r ', '  b'])
  for (let one = 0; one <= text.length; one++)
    for (let two = one; two <= text.length; two++)
      assert.deepEqual(split([text.subarray(0, one), text.subarray(one, two), text.subarray(two)]), whole)
})

test('refuses a blank line that is too long', () =>
  assert.throws(() => split([Buffer.from(`\n\n${' '.repeat(9)}\n`)], 8), {
    message: 'line 3 has more than 8 bytes',
  }))
