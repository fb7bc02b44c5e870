/** Certificates in PEM (RFC 7468): the texts between the lines are decoded, everything else is left. */
const BLOCK = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g

/** DER, in the order of the file; none where there is no such block. */
export function parsePem(file: Buffer): readonly Buffer[] {
  return [...file.toString('latin1').matchAll(BLOCK)].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}
