/**
 * Memory for keys. The worker's is locked (docs/threat-model.md). The interface is in core, not in ports,
 * because core moves unwrapped keys into it and core imports no ports; an adapter implements it.
 */

export type SecretMemory = {
  /** A buffer of zeros. The caller frees it. */
  readonly allocate: (bytes: number) => Buffer
  /** Wipes and frees the buffer at once. It must not be used afterwards: it may then have no bytes. */
  readonly free: (secret: Buffer) => void
}

/** Ordinary JavaScript memory: wiped when freed, but neither locked nor kept out of a dump. */
export const plainMemory: SecretMemory = {
  allocate: (bytes) => Buffer.alloc(bytes),
  free: (secret) => {
    secret.fill(0)
  },
}

/** Moves key material into `memory` and wipes the original, also if there is no room. */
export function moveInto(memory: SecretMemory, plain: Uint8Array): Buffer {
  try {
    const secret = memory.allocate(plain.byteLength)
    secret.set(plain)
    return secret
  } finally {
    plain.fill(0)
  }
}
