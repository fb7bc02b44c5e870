/**
 * A program's TLS files: its certificate chain, its key, and the CAs of the other side with their revocation
 * lists. They are replaced while the program runs, in any way: overwritten, renamed, or by a symbolic link
 * that moves. So their contents are compared, and a set that does not fit together counts as half written.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CodedError } from '#core/errors.ts'
import { parsePem, readPem } from './pem.ts'
import { readRevocationLists } from './tlsRevocation.ts'

/** PEM. */
export type TlsSet = {
  readonly cert: string
  readonly key: string
  readonly ca: string
  /** One list in each. Node reads only the first of a text. */
  readonly crl: readonly string[]
}

type Texts = Readonly<Record<keyof TlsSet, string>>

/** The configuration's field and its path, for each file. */
export type TlsPaths = Readonly<Record<keyof TlsSet, { readonly field: string; readonly path: string }>>

/** The certificate or revocation list of a file that ends first. */
export type Expiry = {
  readonly what: 'certificate' | 'revocation list'
  /** The configuration's field. */
  readonly file: string
  /** Of a certificate its serial number, of a list its issuer. */
  readonly serial: string
  /** Unix seconds. */
  readonly notAfter: number
}

export type TlsFiles = {
  readonly current: () => TlsSet
  readonly expiries: () => readonly Expiry[]
  /** Reads the files again. True if they changed. Throws `config.invalid`; the current ones then stay. */
  readonly refresh: () => Promise<boolean>
  /** Calls `follower` with every set after `seen`. */
  readonly follow: (seen: TlsSet, follower: (set: TlsSet) => void) => void
}

type CheckedSet = { readonly texts: Texts; readonly set: TlsSet; readonly expiries: readonly Expiry[] }

/**
 * Throws `config.invalid` if a file is absent or no PEM, if certificate and key do not fit together, or if a
 * CA has no revocation list.
 */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsFiles> {
  const read = async (): Promise<Texts> => ({
    cert: await readPem(paths.cert.field, paths.cert.path),
    key: await readPem(paths.key.field, paths.key.path),
    ca: await readPem(paths.ca.field, paths.ca.path),
    crl: await readPem(paths.crl.field, paths.crl.path),
  })
  let current = check(await read(), paths)
  let follower: (set: TlsSet) => void = () => {}
  return {
    current: () => current.set,
    expiries: () => current.expiries,
    refresh: async () => {
      const texts = await read()
      const { cert, key, ca, crl } = current.texts
      if (texts.cert === cert && texts.key === key && texts.ca === ca && texts.crl === crl) return false
      current = check(texts, paths)
      follower(current.set)
      return true
    },
    follow: (seen, next) => {
      follower = next
      if (current.set !== seen) next(current.set)
    },
  }
}

function check(texts: Texts, paths: TlsPaths): CheckedSet {
  const { cert, key } = paths
  const own = readCertificates(texts.cert, cert)
  const authorities = readCertificates(texts.ca, paths.ca)
  const lists = readRevocationLists(texts.crl, authorities, paths.crl)
  const set = { ...texts, crl: lists.map(({ pem }) => pem) }
  try {
    createSecureContext({ ...set, crl: [...set.crl] })
  } catch (cause) {
    throw new CodedError(
      'config.invalid',
      `${key.field}: ${key.path} is not the PEM key of the certificate in ${cert.field}`,
      { cause },
    )
  }
  const listEnds = lists.map(
    ({ name, nextUpdate }): Expiry => ({
      what: 'revocation list',
      file: paths.crl.field,
      serial: name,
      notAfter: nextUpdate,
    }),
  )
  return {
    texts,
    set,
    expiries: [
      first(own.map((certificate) => expiryOf(certificate, cert.field))),
      first(authorities.map((certificate) => expiryOf(certificate, paths.ca.field))),
      first(listEnds),
    ].flat(),
  }
}

/** At least one. */
function readCertificates(pem: string, { field, path }: TlsPaths['cert']): readonly X509Certificate[] {
  let found: readonly X509Certificate[]
  try {
    found = parsePem(Buffer.from(pem)).map((der) => new X509Certificate(der))
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: ${path} has a malformed certificate`, { cause })
  }
  if (found.length > 0) return found
  throw new CodedError('config.invalid', `${field}: ${path} has no certificate in PEM`)
}

function expiryOf({ serialNumber, validToDate }: X509Certificate, file: string): Expiry {
  return { what: 'certificate', file, serial: serialNumber, notAfter: validToDate.getTime() / 1000 }
}

function first(expiries: readonly Expiry[]): readonly Expiry[] {
  return expiries.toSorted((a, b) => a.notAfter - b.notAfter).slice(0, 1)
}
