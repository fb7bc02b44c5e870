/**
 * A program's TLS files: its certificate chain, its key, and the CA of the other side. They are replaced
 * while the program runs, in any way: overwritten, renamed, or by a symbolic link that moves. So their
 * contents are compared, and a set that does not fit together counts as half written.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CodedError } from '#core/errors.ts'
import { parsePem, readPem } from './pem.ts'

/** PEM. */
export type TlsSet = { readonly cert: string; readonly key: string; readonly ca: string }

/** The configuration's field and its path, for each file. */
export type TlsPaths = Readonly<Record<keyof TlsSet, { readonly field: string; readonly path: string }>>

/** The certificate of a file that ends first. */
export type Expiry = {
  /** The configuration's field. */
  readonly file: string
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

type CheckedSet = { readonly set: TlsSet; readonly expiries: readonly Expiry[] }

/** Throws `config.invalid` if a file is absent or no PEM, or if certificate and key do not fit together. */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsFiles> {
  const read = async (): Promise<TlsSet> => ({
    cert: await readPem(paths.cert.field, paths.cert.path),
    key: await readPem(paths.key.field, paths.key.path),
    ca: await readPem(paths.ca.field, paths.ca.path),
  })
  let current = check(await read(), paths)
  let follower: (set: TlsSet) => void = () => {}
  return {
    current: () => current.set,
    expiries: () => current.expiries,
    refresh: async () => {
      const set = await read()
      if (set.cert === current.set.cert && set.key === current.set.key && set.ca === current.set.ca)
        return false
      current = check(set, paths)
      follower(set)
      return true
    },
    follow: (seen, next) => {
      follower = next
      if (current.set !== seen) next(current.set)
    },
  }
}

function check(set: TlsSet, { cert, key, ca }: TlsPaths): CheckedSet {
  const expiries = [firstExpiry(set.cert, cert), firstExpiry(set.ca, ca)]
  try {
    createSecureContext(set)
  } catch (cause) {
    throw new CodedError(
      'config.invalid',
      `${key.field}: ${key.path} is not the PEM key of the certificate in ${cert.field}`,
      { cause },
    )
  }
  return { set, expiries }
}

function firstExpiry(pem: string, { field, path }: TlsPaths['cert']): Expiry {
  try {
    const [first] = parsePem(Buffer.from(pem))
      .map((der) => new X509Certificate(der))
      .map(({ serialNumber, validToDate }) => ({
        file: field,
        serial: serialNumber,
        notAfter: validToDate.getTime() / 1000,
      }))
      .sort((a, b) => a.notAfter - b.notAfter)
    if (first !== undefined) return first
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: ${path} has a malformed certificate`, { cause })
  }
  throw new CodedError('config.invalid', `${field}: ${path} has no certificate in PEM`)
}
