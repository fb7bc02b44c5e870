/** Random bytes from a seed, for vectors and for tests whose failures must repeat. */
import { createCipheriv, createHash } from 'node:crypto'

export function seeded(seed: string): (bytes: number) => Buffer {
  const key = createHash('sha256').update(seed).digest()
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return (bytes) => stream.update(Buffer.alloc(bytes))
}
