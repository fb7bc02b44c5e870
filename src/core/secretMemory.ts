/** Memory for keys. Core asks for it and does not know where it lies; the worker's is locked (docs/threat-model.md). */

export type SecretMemory = {
  /** So many zeros. Whoever asks for them frees them. */
  readonly allocate: (bytes: number) => Buffer
  /** Wipes them at once. The buffer is not to be used any more: it may have no bytes from then on. */
  readonly free: (secret: Buffer) => void
}

/** JavaScript's own: wiped when freed, but neither locked nor kept out of a dump. */
export const plainMemory: SecretMemory = {
  allocate: (bytes) => Buffer.alloc(bytes),
  free: (secret) => {
    secret.fill(0)
  },
}

/** Moves key material to where it stays; nothing is left where it was. */
export function moveInto(memory: SecretMemory, plain: Uint8Array): Buffer {
  try {
    const secret = memory.allocate(plain.byteLength)
    secret.set(plain)
    return secret
  } finally {
    plain.fill(0)
  }
}
