/**
 * The one primitive below FLOE: AES-256-GCM (NIST SP 800-38D) over whole segments, with a 12-byte IV and a
 * 16-byte tag. It is a parameter everywhere, so that a program can pass one that works off the event loop.
 * The interface is in core, not in ports, because FLOE calls it and core imports no ports; the native cipher
 * implements it in an adapter.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'

export const KEY_BYTES = 32
export const IV_BYTES = 12
export const TAG_BYTES = 16

export type Segment = {
  /** 12 bytes. */
  readonly iv: Uint8Array
  readonly aad: Uint8Array
  /**
   * The text to seal or open, in order, in any number of pieces of any length. None of them overlaps
   * `output`.
   */
  readonly input: readonly Uint8Array[]
  /** Exactly as long as all pieces of `input` together. */
  readonly output: Uint8Array
  /** 16 bytes; `seal` writes it, `open` compares it. */
  readonly tag: Uint8Array
}

/**
 * All segments of one call share a key of 32 bytes and are processed in order; calls may overlap. Neither the
 * key nor any array of a segment may be touched until the call has settled. Wrong lengths reject with a
 * `RangeError` before anything is written.
 */
export type SegmentCipher = {
  readonly seal: (key: Uint8Array, segments: readonly Segment[]) => Promise<void>
  /** False if any tag does not match; every `output` of the call has then been overwritten with zeros. */
  readonly open: (key: Uint8Array, segments: readonly Segment[]) => Promise<boolean>
}

/**
 * A cipher over node:crypto, on the event loop: for small objects, tests, and machines without the native
 * cipher.
 */
export const nodeCipher: SegmentCipher = {
  seal: async (key, segments) => {
    checkLengths(key, segments)
    for (const { iv, aad, input, output, tag } of segments) {
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(aad)
      passThrough(cipher, input, output)
      cipher.final()
      tag.set(cipher.getAuthTag())
    }
  },
  open: async (key, segments) => {
    checkLengths(key, segments)
    for (const { iv, aad, input, output, tag } of segments) {
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
      decipher.setAAD(aad).setAuthTag(tag)
      passThrough(decipher, input, output)
      if (isAuthentic(decipher)) continue
      for (const segment of segments) segment.output.fill(0)
      return false
    }
    return true
  },
}

function passThrough(
  cipher: { update: (piece: Uint8Array) => Uint8Array },
  input: readonly Uint8Array[],
  output: Uint8Array,
): void {
  let offset = 0
  for (const piece of input) {
    output.set(cipher.update(piece), offset)
    offset += piece.byteLength
  }
}

/** In this mode, `final` throws only if the tag does not match. */
function isAuthentic(decipher: { final: () => unknown }): boolean {
  try {
    decipher.final()
    return true
  } catch {
    return false
  }
}

function checkLengths(key: Uint8Array, segments: readonly Segment[]): void {
  if (key.byteLength !== KEY_BYTES)
    throw new RangeError(`key has ${key.byteLength} bytes, expected ${KEY_BYTES}`)
  for (const { iv, input, output, tag } of segments) {
    const bytes = input.reduce((sum, piece) => sum + piece.byteLength, 0)
    if (iv.byteLength !== IV_BYTES || tag.byteLength !== TAG_BYTES || output.byteLength !== bytes)
      throw new RangeError(
        `a segment has iv ${iv.byteLength}, tag ${tag.byteLength}, input ${bytes} and output ${output.byteLength} bytes`,
      )
  }
}
