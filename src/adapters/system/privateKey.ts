/**
 * Private keys in files: PEM as OpenSSL writes it (PKCS #8, SEC 1), and unencrypted Ed25519 keys as ssh-keygen
 * writes them (openssh/PROTOCOL.key), which node:crypto does not read.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { CodedError } from '#core/errors.ts'
import { readFileUpTo } from './files.ts'

const MAX_BYTES = 16 * 1024
const SSH = /^-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*$/
const MAGIC = 'openssh-key-v1\0'

/** Throws `input.unreadable`, and `signer.unusable` for anything else. Messages never quote the file. */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  const bytes = await readFileUpTo(path, MAX_BYTES, 'input.unreadable')
  try {
    const ssh = SSH.exec(bytes.toString('latin1'))?.[1]
    return ssh === undefined ? createPrivateKey(bytes) : readSsh(Buffer.from(ssh, 'base64'))
  } catch (cause) {
    if (cause instanceof CodedError) throw new CodedError(cause.code, `${path}: ${cause.message}`)
    throw unusable(`${path} has no private key that can be read, or it is encrypted`)
  } finally {
    bytes.fill(0)
  }
}

/** Magic, cipher, KDF and its options, the number of keys, the public key, then the private part. */
function readSsh(bytes: Buffer): KeyObject {
  try {
    const outer = new SshReader(bytes)
    if (outer.take(MAGIC.length).toString('latin1') !== MAGIC) throw unusable('is not a key of ssh')
    const cipher = outer.string().toString('latin1')
    if (cipher !== 'none')
      throw unusable(`is encrypted (${cipher}); write an unencrypted copy for the time of signing`)
    outer.string()
    outer.string()
    if (outer.number() !== 1) throw unusable('has more than one key')
    outer.string()
    const inner = new SshReader(outer.string())
    // Two equal numbers, by which ssh tells a wrong passphrase.
    const [check, again] = [inner.number(), inner.number()]
    if (check !== again) throw unusable('is damaged')
    const type = inner.string().toString('latin1')
    if (type !== 'ssh-ed25519') throw unusable(`is of the kind ${type}, expected ssh-ed25519`)
    const x = inner.string()
    // Seed and public key, 32 bytes each.
    const secret = inner.string()
    if (x.byteLength !== 32 || secret.byteLength !== 64 || !secret.subarray(32).equals(x))
      throw unusable('is damaged')
    const [d, publicX] = [secret.subarray(0, 32).toString('base64url'), x.toString('base64url')]
    return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x: publicX }, format: 'jwk' })
  } finally {
    bytes.fill(0)
  }
}

/** RFC 4251 §5: big-endian numbers, and strings behind their length. */
class SshReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw unusable('is cut off')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  number(): number {
    return this.take(4).readUInt32BE()
  }

  string(): Buffer {
    return this.take(this.number())
  }
}

function unusable(what: string): CodedError {
  return new CodedError('signer.unusable', what)
}
