/**
 * AES-256-GCM over segments by the native addon: on libuv's pool, into the caller's buffers, one key schedule
 * per call.
 */
import { type Addon, loadAddon } from '#adapters/system/addon.ts'
import { CodedError } from '#core/errors.ts'
import { nodeCipher, type Segment, type SegmentCipher } from '#core/sealed/cipher.ts'

/**
 * The native cipher if the addon has it, else the one over node:crypto, on the event loop. `provider` says
 * which.
 */
export function loadSegmentCipher(): {
  readonly cipher: SegmentCipher
  readonly provider: 'native' | 'node'
} {
  const addon = loadAddon()
  return addon instanceof CodedError || addon.aead === undefined
    ? { cipher: nodeCipher, provider: 'node' }
    : { cipher: createNativeCipher(addon.aead), provider: 'native' }
}

function createNativeCipher(aead: NonNullable<Addon['aead']>): SegmentCipher {
  // The addon keeps `parts`, and so the memory of every array, until its work is done. It copies the key and
  // wipes it.
  const run = async (seal: boolean, key: Uint8Array, segments: readonly Segment[]) => {
    const parts: Uint8Array[] = []
    const counts = new Uint32Array(segments.length)
    for (const [index, { iv, aad, tag, output, input }] of segments.entries()) {
      parts.push(iv, aad, tag, output, ...input)
      counts[index] = input.length
    }
    return await aead(seal, key, parts, counts)
  }
  return {
    seal: async (key, segments) => {
      await run(true, key, segments)
    },
    open: (key, segments) => run(false, key, segments),
  }
}
