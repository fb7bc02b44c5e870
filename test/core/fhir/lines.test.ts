import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLineSplitter, MAX_LINE_BYTES, type OnLine } from '#core/fhir/lines.ts'

const TOO_LONG = '(too long)'

function split(chunks: readonly Uint8Array[], maxLineBytes?: number): string[] {
  const lines: string[] = []
  const splitter = createLineSplitter(maxLineBytes)
  const onLine: OnLine = (line) => {
    lines.push(line === undefined ? TOO_LONG : Buffer.from(line).toString())
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
  ['white space around a line', ' \t\r a b \r\n', ['a b ']],
  ['white space only', ' \t\r\n\r', []],
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

for (const chunks of [['123456789\n'], ['12345', '6789\n'], ['123456789'], ['1234567890'], ['123456789\r']])
  test(`a line that is too long costs that line: ${JSON.stringify(chunks)}`, () => {
    const bytes = ['1\n', ...chunks, '\n2\n', '12345678\n'].map((chunk) => Buffer.from(chunk))
    assert.deepEqual(split(bytes, 8), ['1', TOO_LONG, '2', '12345678'])
    assert.deepEqual(split([Buffer.concat(bytes)], 8), ['1', TOO_LONG, '2', '12345678'])
    assert.deepEqual(split(bytes.slice(0, 1 + chunks.length), 8), ['1', TOO_LONG])
  })

test('a line has at most 4 MiB', () => {
  const line = Buffer.alloc(MAX_LINE_BYTES, 0x61)
  assert.equal(MAX_LINE_BYTES, 4 * 1024 * 1024)
  assert.equal(split([line])[0]?.length, MAX_LINE_BYTES)
  assert.deepEqual(split([line, Buffer.from('a')]), [TOO_LONG])
})

test('an endless line is not kept', () => {
  const splitter = createLineSplitter(1000)
  const chunk = Buffer.alloc(1024 * 1024, 0x61)
  const before = process.memoryUsage().arrayBuffers
  const lines: unknown[] = []
  for (let i = 0; i < 1000; i++) splitter.push(chunk, (line) => lines.push(line))
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * chunk.byteLength)
  assert.equal(lines.length, 0)
  splitter.end((line) => lines.push(line))
  assert.deepEqual(lines, [undefined])
})

test('a stream of single bytes is kept in one buffer', () => {
  const text = 'a'.repeat(200_000)
  assert.deepEqual(split([...Buffer.from(`${text}\n${text}`)].map((byte) => Buffer.of(byte))), [text, text])
})

for (const chunks of [['\ufeff{}\n'], ['\ufeff{}']])
  test('refuses a byte order mark', () =>
    assert.throws(() => split(chunks.map((chunk) => Buffer.from(chunk))), { code: 'resource.malformed' }))

for (const [name, blank] of [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['a space', ' \n'],
] as const)
  test(`64 MiB of blank lines of ${name} cost no call per line`, () => {
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
  })

test('a run of blank lines may be cut anywhere', () => {
  const text = Buffer.from('\n \r\n\t\n\r\n\r\na\n\n \t \r\n\r \n  b\r\n \n')
  const whole = split([text])
  assert.deepEqual(whole, ['a', 'b'])
  for (let one = 0; one <= text.length; one++)
    for (let two = one; two <= text.length; two++)
      assert.deepEqual(split([text.subarray(0, one), text.subarray(one, two), text.subarray(two)]), whole)
})
