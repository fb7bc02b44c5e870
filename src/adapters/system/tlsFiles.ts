/**
 * A program's TLS files: its certificate chain, its key, and the CAs of the other side with their revocation
 * lists. They are replaced while the program runs, in any way: overwritten, renamed, or by a symbolic link
 * that moves. So their contents are compared, and a set that does not fit together counts as half written.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { CodedError } from '#core/errors.ts'
import { parsePem, readPem } from './pem.ts'
import { readRevocationLists } from './tlsRevocation.ts'

/** A certificate chain and its key. PEM, as all of these. */
export type OwnTls = { readonly cert: string; readonly key: string }

export type TlsSet = OwnTls & {
  readonly ca: string
  /** One list in each. Node reads only the first of a text. */
  readonly crl: readonly string[]
}

type Texts<Name extends string> = Readonly<Record<Name, string>>
/** The configuration's field and its path, for each file. */
type Paths<Name extends string> = Readonly<Record<Name, { readonly field: string; readonly path: string }>>
export type OwnTlsPaths = Paths<keyof OwnTls>
export type TlsPaths = Paths<keyof TlsSet>

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

export type TlsFiles<Files extends OwnTls = TlsSet> = {
  readonly current: () => Files
  readonly expiries: () => readonly Expiry[]
  /** Reads the files again. True if they changed. Throws `config.invalid`; the current ones then stay. */
  readonly refresh: () => Promise<boolean>
  /** Calls `follower` with every set after `seen`. */
  readonly follow: (seen: OwnTls, follower: (set: Files) => void) => void
}

type Checked<Files> = { readonly set: Files; readonly expiries: readonly Expiry[] }

/**
 * Throws `config.invalid` if a file is absent or no PEM, if certificate and key do not fit together, or if a
 * CA has no revocation list.
 */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsFiles> {
  return await filesOf(paths, ({ cert, key, ca, crl }) => {
    const own = checkOwn({ cert, key }, paths)
    const authorities = readCertificates(ca, paths.ca)
    const lists = readRevocationLists(crl, authorities, paths.crl)
    const listEnds = lists.map(
      ({ name, nextUpdate }): Expiry => ({
        what: 'revocation list',
        file: paths.crl.field,
        serial: name,
        notAfter: nextUpdate,
      }),
    )
    const set = { cert, key, ca, crl: lists.map(({ pem }) => pem) }
    expectPair(set, paths, { ca, crl: [...set.crl] })
    return {
      set,
      expiries: [
        own.expiries,
        first(authorities.map((certificate) => expiryOf(certificate, paths.ca.field))),
        first(listEnds),
      ].flat(),
    }
  })
}

/** Without the other side's. Throws as `readTlsFiles`. */
export async function readOwnTlsFiles(paths: OwnTlsPaths): Promise<TlsFiles<OwnTls>> {
  return await filesOf(paths, (texts) => {
    const own = checkOwn(texts, paths)
    expectPair(texts, paths)
    return own
  })
}

/** With the other side's if `paths` has them. Throws as `readTlsFiles`. */
export async function readGivenTlsFiles(paths: OwnTlsPaths | TlsPaths): Promise<TlsFiles<OwnTls | TlsSet>> {
  return 'ca' in paths ? await readTlsFiles(paths) : await readOwnTlsFiles(paths)
}

async function filesOf<Name extends string, Files extends OwnTls>(
  paths: Paths<Name>,
  check: (texts: Texts<Name>) => Checked<Files>,
): Promise<TlsFiles<Files>> {
  const read = async (): Promise<Texts<Name>> => {
    const texts: Partial<Record<Name, string>> = {}
    for (const name in paths) texts[name] = await readPem(paths[name].field, paths[name].path)
    // Each name of `paths` has its text now.
    return texts as Texts<Name>
  }
  let texts = await read()
  let current = check(texts)
  let follower: (set: Files) => void = () => {}
  return {
    current: () => current.set,
    expiries: () => current.expiries,
    refresh: async () => {
      const next = await read()
      let isSame = true
      for (const name in paths) isSame &&= next[name] === texts[name]
      if (isSame) return false
      current = check(next)
      texts = next
      follower(current.set)
      return true
    },
    follow: (seen, next) => {
      follower = next
      if (current.set !== seen) next(current.set)
    },
  }
}

function checkOwn(set: OwnTls, { cert }: OwnTlsPaths): Checked<OwnTls> {
  const own = readCertificates(set.cert, cert)
  return { set, expiries: first(own.map((certificate) => expiryOf(certificate, cert.field))) }
}

function expectPair(set: OwnTls, { cert, key }: OwnTlsPaths, others: SecureContextOptions = {}): void {
  try {
    createSecureContext({ cert: set.cert, key: set.key, ...others })
  } catch (cause) {
    throw new CodedError(
      'config.invalid',
      `${key.field}: ${key.path} is not the PEM key of the certificate in ${cert.field}`,
      { cause },
    )
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
