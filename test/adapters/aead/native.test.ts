import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { nodeCipher, type Segment } from '#core/sealed/cipher.ts'

const { cipher, provider } = loadSegmentCipher()
const skip = provider === 'native' ? false : 'the native addon is not built or finds no OpenSSL'

/** A segment over `text`, cut after each of `cuts`, in the direction of a seal. */
function segmentOver(text: Buffer, cuts: readonly number[], aad: Buffer): Segment {
  const ends = [...cuts.map((cut) => cut % (text.byteLength + 1)), text.byteLength].sort((a, b) => a - b)
  const input = ends.map((end, index) => text.subarray(ends[index - 1] ?? 0, end))
  return { iv: randomBytes(12), aad, input, output: Buffer.alloc(text.byteLength), tag: Buffer.alloc(16) }
}

function reversed({ iv, aad, output, tag }: Segment): Segment {
  return {
    iv,
    aad,
    tag: Buffer.from(tag),
    input: [Buffer.from(output)],
    output: Buffer.alloc(output.byteLength, 7),
  }
}

describe('the native cipher', { skip }, () => {
  test('the known answer of NIST SP 800-38D, AES-256 with associated data (GCM test case 16)', async () => {
    const hex = (text: string) => Buffer.from(text, 'hex')
    const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
    const text = hex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    )
    const output = Buffer.alloc(text.byteLength)
    const tag = Buffer.alloc(16)
    const iv = hex('cafebabefacedbaddecaf888')
    const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
    await cipher.seal(key, [{ iv, aad, input: [text], output, tag }])
    assert.equal(
      output.toString('hex'),
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
    )
    assert.equal(tag.toString('hex'), '76fc6ece0f4e1768cddf8853bb2d551b')
  })

  test('agrees with node:crypto in both directions, for any cut of the text', async () => {
    const bytes = fc.uint8Array({ maxLength: 3000 }).map((array) => Buffer.from(array))
    const plan = fc.record({ text: bytes, cuts: fc.array(fc.nat(3000), { maxLength: 300 }), aad: bytes })
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { maxLength: 5 }), async (plans) => {
        const key = randomBytes(32)
        const segments = plans.map(({ text, cuts, aad }) => segmentOver(text, cuts, aad))
        await cipher.seal(key, segments)
        const byNode = segments.map((one) => ({
          ...one,
          output: Buffer.alloc(one.output.length),
          tag: Buffer.alloc(16),
        }))
        await nodeCipher.seal(key, byNode)
        assert.deepEqual(segments, byNode)
        const opened = segments.map(reversed)
        assert.equal(await cipher.open(key, opened), true)
        assert.deepEqual(
          opened.map(({ output }) => output),
          plans.map(({ text }) => text),
        )
      }),
      { numRuns: 50 },
    )
  })

  for (const [part, change] of [
    ['iv', { iv: Buffer.alloc(12, 1) }],
    ['aad', { aad: Buffer.from('other') }],
    ['tag', { tag: Buffer.alloc(16) }],
    ['input', { input: [Buffer.alloc(500, 3)] }],
  ] as const)
    test(`a forged ${part} opens nothing of the batch, and leaves zeros`, async () => {
      const key = randomBytes(32)
      const segments = [0, 1, 2].map(() => segmentOver(randomBytes(500), [77], Buffer.from('aad')))
      await cipher.seal(key, segments)
      const opened = segments.map((segment, index) => ({
        ...reversed(segment),
        ...(index === 1 ? change : {}),
      }))
      assert.equal(await cipher.open(key, opened), false)
      for (const { output } of opened) assert.deepEqual(output, Buffer.alloc(500))
    })

  const good = () => segmentOver(Buffer.alloc(100, 5), [10], Buffer.alloc(9))
  for (const [what, key, change] of [
    ['a key of 31 bytes', Buffer.alloc(31), {}],
    ['an iv of 11 bytes', Buffer.alloc(32), { iv: Buffer.alloc(11) }],
    ['a tag of 15 bytes', Buffer.alloc(32), { tag: Buffer.alloc(15) }],
    ['an output too short', Buffer.alloc(32), { output: Buffer.alloc(99) }],
    ['an output too long', Buffer.alloc(32), { output: Buffer.alloc(101) }],
    ['no input', Buffer.alloc(32), { input: [] }],
  ] as const)
    test(`${what} rejects with a RangeError before anything is written`, async () => {
      const segments = [good(), { ...good(), ...change }]
      const outputs = segments.map(({ output }) => output)
      const before = outputs.map((output) => Buffer.from(output))
      await assert.rejects(cipher.seal(key, segments), RangeError)
      await assert.rejects(cipher.open(key, segments), RangeError)
      assert.deepEqual(outputs, before)
    })

  test('keeps concurrent calls with different keys apart', async () => {
    const calls = Array.from({ length: 32 }, () => ({
      key: randomBytes(32),
      segments: Array.from({ length: 4 }, () => segmentOver(randomBytes(20_000), [1, 999], Buffer.alloc(9))),
    }))
    await Promise.all(calls.map(({ key, segments }) => cipher.seal(key, segments)))
    const opened = calls.map(({ segments }) => segments.map(reversed))
    const results = await Promise.all(calls.map(({ key }, index) => cipher.open(key, opened[index] ?? [])))
    assert.deepEqual(results, Array(32).fill(true))
  })
})
