/**
 * FLOE ciphertexts that were cut, reordered, spliced and changed. The segments are small, so that a message has
 * many of them and several segment keys.
 */
import { nodeCipher } from '#core/sealed/cipher.ts'
import { FLOE_HEADER_BYTES, type FloeParameters } from '#core/sealed/floe.ts'
import { openFloe } from '#core/sealed/floeOpen.ts'
import { sealFloe } from '#core/sealed/floeSeal.ts'
import { mutate } from '../mutation.ts'
import { Random } from '../random.ts'
import { type Target, Violation } from '../target.ts'

const DEK = Buffer.alloc(32, 5)
const AAD = Buffer.from('fuzz')
const PARAMETERS: FloeParameters = { segmentBytes: 64, rotationMask: 1 }
const SIZES = [0, 1, 31, 32, 33, 64, 65, 300, 900]

type Message = { readonly plaintext: Buffer; readonly ciphertext: Buffer }

export const floe: Target = {
  name: 'floe',
  what: 'FLOE ciphertexts: cut, reordered, spliced, changed',
  weight: 1,
  quick: 2000,
  codes: ['object.unopened'],
  open: async () => {
    const random = new Random(1, 'floe', 0)
    const messages: Message[] = []
    for (const size of SIZES) messages.push(await seal(random.bytes(size), random))
    return {
      generate: (random) => [changed(random.pick(messages), messages, random)],
      check: ([ciphertext = Buffer.alloc(0)]) => checkOpening(ciphertext, messages),
    }
  },
}

async function seal(plaintext: Buffer, random: Random): Promise<Message> {
  const sealing = {
    dek: DEK,
    aad: AAD,
    chunks: [plaintext],
    size: plaintext.byteLength,
    cipher: nodeCipher,
    random: (bytes: number) => random.bytes(bytes),
    ownership: 'given',
    parameters: PARAMETERS,
  } as const
  return { plaintext, ciphertext: Buffer.concat(await Array.fromAsync(sealFloe(sealing))) }
}

/** Whatever is yielded, even before a refusal, begins a sealed plaintext; what is accepted is a whole one. */
async function checkOpening(ciphertext: Buffer, messages: readonly Message[]): Promise<void> {
  // Chunks of any size are one stream.
  const cut = ciphertext.byteLength % 100
  const chunks = [ciphertext.subarray(0, cut), ciphertext.subarray(cut)]
  const yielded: Buffer[] = []
  const begun = () => {
    const bytes = Buffer.concat(yielded)
    if (!messages.some(({ plaintext }) => plaintext.subarray(0, bytes.byteLength).equals(bytes)))
      throw new Violation('bytes are yielded that no sealed plaintext begins with')
  }
  try {
    const opening = { dek: DEK, aad: AAD, chunks, cipher: nodeCipher, ownership: 'given' } as const
    for await (const chunk of openFloe({ ...opening, parameters: PARAMETERS })) yielded.push(chunk)
  } finally {
    begun()
  }
  const opened = Buffer.concat(yielded)
  if (!messages.some((sealed) => sealed.ciphertext.equals(ciphertext) && sealed.plaintext.equals(opened)))
    throw new Violation('a ciphertext opens that was not sealed so')
}

function changed({ ciphertext }: Message, messages: readonly Message[], random: Random): Buffer {
  const header = ciphertext.subarray(0, FLOE_HEADER_BYTES)
  const segments = segmentsOf(ciphertext)
  const at = random.below(segments.length)
  const other = random.pick(messages).ciphertext
  switch (random.below(9)) {
    case 0:
      return ciphertext
    case 1:
      return Buffer.concat([header, ...segments.slice(0, at)])
    case 2:
      return Buffer.concat([header, ...segments.toSpliced(at, 1)])
    case 3:
      return Buffer.concat([header, ...segments.toSpliced(at, 0, random.pick(segments))])
    case 4:
      return Buffer.concat([header, ...segments.toSpliced(at, 1, random.pick(segmentsOf(other)))])
    case 5:
      return Buffer.concat([other.subarray(0, FLOE_HEADER_BYTES), ...segments])
    case 6:
      return Buffer.concat([header, ...segments.map((segment) => reframed(segment, random))])
    case 7:
      return ciphertext.subarray(0, random.below(ciphertext.byteLength))
    default:
      return mutate(ciphertext, random)
  }
}

function segmentsOf(ciphertext: Buffer): readonly Buffer[] {
  const segments: Buffer[] = []
  for (let at = FLOE_HEADER_BYTES; at < ciphertext.byteLength; at += PARAMETERS.segmentBytes)
    segments.push(ciphertext.subarray(at, at + PARAMETERS.segmentBytes))
  return segments
}

/** Sometimes with another marker or length. */
function reframed(segment: Buffer, random: Random): Buffer {
  if (!random.oneIn(3)) return segment
  const copy = Buffer.from(segment)
  copy.writeUInt32BE(random.pick([0, 1, 31, 32, 33, 63, 64, 65, segment.byteLength, 2 ** 32 - 1, 2 ** 31]))
  return copy
}
