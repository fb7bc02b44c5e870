/** Padded base64 (RFC 4648 §4), as OCI writes bytes in JSON. */
import { CodedError } from '#core/errors.ts'

/** Throws `service.failed` if the text is not canonical base64. */
export function fromBase64(text: string, field: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new CodedError('service.failed', `${field} is not base64`)
  return bytes
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
