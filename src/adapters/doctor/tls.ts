/** Rows about a program's TLS files: that they fit together, and when each ends. */
import { type OwnTlsPaths, readGivenTlsFiles, type TlsPaths } from '#adapters/system/tlsFiles.ts'
import { codeOf } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import { type Check, ends, good, left } from './check.ts'

/** The day from which the programs' logs warn. */
const LEAST_DAYS = 14

const ROWS = [
  ['cert', 'the certificate', 'renew it: enrol renew at the authority, then replace the file'],
  ['ca', "the other side's CA", "take the authority's new certificate into the file, beside the old one"],
  ['crl', "the CA's revocation list", "fetch the authority's newest list: enrol crl writes it"],
] as const

export function tlsChecks<Context extends { readonly clock: Pick<Clock, 'now'> }>(
  pathsOf: (context: Context) => OwnTlsPaths | TlsPaths,
): readonly Check<Context>[] {
  return [
    {
      id: 'tls.files',
      tries: 'reads the PEM files and puts them together',
      expects: 'a key of its certificate, and a revocation list by each CA',
      remedy: 'correct the file that the line names, or its path; --check-config reads them, too',
      run: async (context) => {
        await readGivenTlsFiles(pathsOf(context))
        return good('they fit together')
      },
    },
    ...ROWS.map(
      ([file, what, remedy]): Check<Context> => ({
        id: `tls.${file}`,
        tries: `reads the end of ${what}`,
        expects: `at least ${LEAST_DAYS} days`,
        remedy,
        run: async (context) => {
          const paths = pathsOf(context)
          const field = Object.entries(paths).find(([name]) => name === file)?.[1].field
          if (field === undefined) return left('a gateway looks at the certificates of clients')
          const files = await readGivenTlsFiles(paths).catch((error: unknown) => {
            if (codeOf(error) !== 'config.invalid') throw error
            return undefined
          })
          if (files === undefined) return left('the files do not fit together')
          const expiries = files.expiries().filter((expiry) => expiry.file === field)
          return expiries.map(({ what: kind, serial, notAfter }) =>
            ends(`${field}: ${kind} ${serial}`, notAfter, context.clock.now(), LEAST_DAYS),
          )
        },
      }),
    ),
  ]
}
