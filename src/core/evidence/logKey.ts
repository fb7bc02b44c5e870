/** The object `key` of a log. A boot is the digest of its key, so the key proves itself. */
import { bootOf, logOrigin, type Role } from '../boot/boot.ts'
import { fromUtf8 } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import { type NoteKey, parseVkey } from './note.ts'

/** Throws `evidence.malformed`, or `evidence.inconsistent` for the key of another log. */
export function parseLogKey(bytes: Uint8Array, role: Role, boot: string): NoteKey {
  const line = fromUtf8(bytes)
  if (!line.endsWith('\n')) throw new CodedError('evidence.malformed', 'the key is absent or not one line')
  const key = parseVkey(line.slice(0, -1))
  if (key.name !== logOrigin(role, boot) || bootOf(key.jwk) !== boot)
    throw new CodedError('evidence.inconsistent', 'the key belongs to another log')
  return key
}
