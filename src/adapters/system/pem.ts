/** Text in PEM (RFC 7468): files that a configuration names, and the blocks inside of them. */
import { readFileUpTo } from './files.ts'

/** More than a bundle of CA certificates has. */
const MAX_FILE_BYTES = 1024 * 1024

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'X509 CRL'

/** Throws `config.invalid`, naming the configuration's field. The content is not checked here. */
export async function readPem(field: string, path: string): Promise<string> {
  const bytes = await readFileUpTo(path, MAX_FILE_BYTES, 'config.invalid', `${field}: ${path}`)
  return bytes.toString('utf8')
}

/** Decodes each block with the label to DER, in the order of the file. Text between the blocks is ignored. */
export function parsePem(file: Buffer, label: PemLabel = 'CERTIFICATE'): readonly Buffer[] {
  const blocks = file
    .toString('latin1')
    .matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g'))
  return [...blocks].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}
