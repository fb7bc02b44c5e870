/**
 * A CA's register: a folder on the operator's machine. `authority.pem` and `crl.pem` are for the programs;
 * `issued/<serial>.json`, `revoked/<serial>.json` and `crl/<number>.pem` are each written once. It has no
 * key. Without it no certificate can be renewed or revoked, so it needs a backup.
 *
 * Crash argument. A certificate is in the register before anyone has it, and a revocation before the list
 * that names it. A list takes its number by the creation of a file, from the marks that exist then: of two
 * operators the later one starts again with all marks, so the highest number is complete.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createFile, readFileUpTo, readIfPresent, replaceFile } from '#adapters/system/files.ts'
import { utf8 } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, codeOf, under } from '#core/errors.ts'
import { hexBytes, name, time, version1 } from '#core/fields.ts'
import { PURPOSES, REASONS, type Reason } from './certificate.ts'

const MAX_FILE_BYTES = 1024 * 1024
/** Registers that many lists; the numbers are decimal with this many digits, so that names sort. */
const NUMBER_DIGITS = 8

const Authority = z.strictObject({
  v: version1,
  name: z.string().min(1).max(64),
  purpose: z.enum(PURPOSES),
  /** PEM. */
  certificate: z.string(),
  notAfter: time,
})
export type Authority = z.output<typeof Authority>

const Issued = z.strictObject({
  v: version1,
  serial: hexBytes(16),
  name,
  dns: z.array(z.string()),
  ip: z.array(z.string()),
  /** SHA-256 of the SubjectPublicKeyInfo. */
  key: hexBytes(32),
  notBefore: time,
  notAfter: time,
  /** The serial number of the certificate that this one replaces. */
  renews: hexBytes(16).nullable(),
  /** PEM. */
  certificate: z.string(),
})
export type Issued = z.output<typeof Issued>

// The keys of a table are the closed set.
const REASON_NAMES = Object.keys(REASONS) as Reason[]
const Mark = z.strictObject({ v: version1, serial: hexBytes(16), at: time, reason: z.enum(REASON_NAMES) })
export type Mark = z.output<typeof Mark>

export type Register = {
  /** Throws `config.invalid` if there is none. */
  readonly authority: () => Promise<Authority>
  /** Throws `output.exists`. */
  readonly create: (authority: Authority) => Promise<void>
  readonly issued: () => Promise<readonly Issued[]>
  readonly revoked: () => Promise<readonly Mark[]>
  readonly add: (issued: Issued) => Promise<void>
  /** Throws `output.exists` if it is marked already. */
  readonly mark: (mark: Mark) => Promise<void>
  /** Publishes the next list, which `write` makes for a number from the marks of that moment. */
  readonly publish: (write: (number: number, marks: readonly Mark[]) => Promise<string>) => Promise<number>
}

export function openRegister(folder: string): Register {
  const at = (...parts: readonly string[]) => join(folder, ...parts)
  const authorityFile = at('authority.json')
  const read = async <Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>> => {
    const bytes = await readFileUpTo(file, MAX_FILE_BYTES, 'config.invalid')
    return under('config.invalid', () =>
      checkShape(schema, parseJson(bytes, file), file, 'config.invalid', 'operator'),
    )
  }
  const all = async <Schema extends z.ZodType>(name: string, schema: Schema) =>
    Promise.all((await namesIn(at(name))).map((file) => read(at(name, file), schema)))
  const write = (file: string, value: object) =>
    createFile(file, [utf8(`${JSON.stringify(value, null, 2)}\n`)])
  const revoked = () => all('revoked', Mark)
  const newest = async () => (await namesIn(at('crl'))).at(-1) ?? '0'
  /** Whichever operator comes last here sees the highest number. */
  const showNewest = async (): Promise<void> => {
    for (;;) {
      const shown = await newest()
      await replaceFile(at('crl.pem'), await readFileUpTo(at('crl', shown), MAX_FILE_BYTES, 'config.invalid'))
      if ((await newest()) === shown) return
    }
  }
  return {
    authority: async () => {
      if ((await readIfPresent(authorityFile, MAX_FILE_BYTES, 'config.invalid')) === undefined)
        throw new CodedError(
          'config.invalid',
          `folder: ${folder} has no authority; run enrol authority first`,
        )
      return await read(authorityFile, Authority)
    },
    create: async (authority) => {
      for (const name of ['issued', 'revoked', 'crl'])
        await mkdir(at(name), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
          throw new CodedError('output.unwritable', `${folder} cannot be written`, { cause })
        })
      await write(authorityFile, authority)
      await replaceFile(at('authority.pem'), authority.certificate)
    },
    issued: () => all('issued', Issued),
    revoked,
    add: async (issued) => {
      await write(at('issued', `${issued.serial}.json`), issued)
    },
    mark: async (mark) => {
      await write(at('revoked', `${mark.serial}.json`), mark)
    },
    publish: async (list) => {
      for (;;) {
        const number = Number.parseInt(await newest(), 10) + 1
        const pem = await list(number, await revoked())
        const file = at('crl', `${String(number).padStart(NUMBER_DIGITS, '0')}.pem`)
        try {
          await createFile(file, [utf8(pem)], { mode: 0o644 })
        } catch (error) {
          if (codeOf(error) === 'output.exists') continue
          throw error
        }
        await showNewest()
        return number
      }
    },
  }
}

/** Without drafts, in order; none if there is no such folder. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((file) => !file.startsWith('.')).sort()
}
