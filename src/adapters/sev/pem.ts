/** Certificates and revocation lists in PEM (RFC 7468): the texts between the lines are decoded, everything else is left. */

export type PemLabel = 'CERTIFICATE' | 'X509 CRL'

/** DER, in the order of the file; none where there is no such block. */
export function parsePem(file: Buffer, label: PemLabel = 'CERTIFICATE'): readonly Buffer[] {
  const blocks = file
    .toString('latin1')
    .matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g'))
  return [...blocks].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}
