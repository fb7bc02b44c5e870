/** From the options of an enrolment command to its work and its output. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { assertAbsent, createFile, readFileUpTo } from '#adapters/system/files.ts'
import { EnrolConfig } from '#cli/config.ts'
import { openServices, openSigner } from '#cli/services.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { name as Name } from '#core/fields.ts'
import { type Purpose, REASONS, type Reason } from './certificate.ts'
import {
  createAuthority,
  type Enrolment,
  issue,
  listCertificates,
  publishList,
  renew,
  revoke,
} from './enrolment.ts'
import { type Issued, openRegister } from './register.ts'
import { createRequest, MAX_REQUEST_BYTES, readRequest } from './request.ts'
import {
  renderAuthority,
  renderIssued,
  renderList,
  renderPublished,
  renderRequest,
  renderRevoked,
} from './text.ts'

const MAX_DAYS = 3650
const PUBLIC = { mode: 0o644 } as const
const ROLES: Readonly<Record<string, Purpose>> = { workers: 'clientAuth', verifiers: 'serverAuth' }

type Common = { readonly config: string; readonly json?: boolean }
type Days = { readonly days: string }
type ListDays = { readonly crlDays: string }

export function createActions({ terminal, exit }: CommandContext) {
  const tell = (json: boolean | undefined, value: object, text: () => string) => {
    if (json === true) terminal.printJson(value)
    else terminal.print(text())
  }
  return {
    authority: async (
      options: Common & Days & ListDays & { readonly name: string; readonly for: string },
    ) => {
      const purpose = ROLES[options.for]
      if (purpose === undefined) throw usage('--for', options.for, 'workers or verifiers')
      if (!/^[\p{L}\p{N} .,:()-]{1,64}$/u.test(options.name))
        throw usage('--name', options.name, '1 to 64 letters, digits, spaces or .,:()-')
      const [days, listDays] = [daysOf('--days', options.days), daysOf('--crl-days', options.crlDays)]
      await enrolling(options.config, async (enrolment, folder) => {
        const authority = await createAuthority(enrolment, { name: options.name, purpose, days, listDays })
        const files = { certificate: join(folder, 'authority.pem'), crl: join(folder, 'crl.pem') }
        tell(options.json, { ...authority, files }, () => renderAuthority(authority, files))
      })
    },

    request: async (options: {
      readonly name: string
      readonly key?: string
      readonly out?: string
      readonly json?: boolean
    }) => {
      const name = nameOf(options.name)
      const { key: keyFile = `${name}.key`, out = `${name}.csr` } = options
      await assertAbsent(out)
      const { key, request } = createRequest(name)
      await createFile(keyFile, [utf8(key)], { mode: 0o600 })
      await createFile(out, [utf8(request)], PUBLIC)
      tell(options.json, { name, key: keyFile, request: out }, () => renderRequest(keyFile, out))
    },

    issue: async (
      request: string,
      options: Common &
        Days & {
          readonly name: string
          readonly dns: readonly string[]
          readonly ip: readonly string[]
          readonly out?: string
        },
    ) => {
      const { dns, ip } = options
      const name = nameOf(options.name)
      const out = options.out ?? `${name}.pem`
      const days = daysOf('--days', options.days)
      const key = await requestedKey(request)
      await assertAbsent(out)
      await enrolling(options.config, async (enrolment) => {
        const issued = await issue(enrolment, { key, subject: { name, dns, ip }, days })
        await createFile(out, [utf8(issued.certificate)], PUBLIC)
        tell(options.json, issuedFields(issued, out), () => renderIssued(issued, out))
      })
    },

    renew: async (
      certificate: string,
      options: Common & Days & { readonly out: string; readonly request?: string },
    ) => {
      const { out, request } = options
      const days = daysOf('--days', options.days)
      const key = request === undefined ? undefined : await requestedKey(request)
      const serial = await serialOf(certificate)
      await assertAbsent(out)
      await enrolling(options.config, async (enrolment) => {
        const issued = await renew(enrolment, serial, { key, days })
        await createFile(out, [utf8(issued.certificate)], PUBLIC)
        tell(options.json, issuedFields(issued, out), () => renderIssued(issued, out))
      })
    },

    revoke: async (certificate: string, options: Common & ListDays & { readonly reason: string }) => {
      const reason = reasonOf(options.reason)
      const listDays = daysOf('--crl-days', options.crlDays)
      const serial = await serialOf(certificate)
      await enrolling(options.config, async (enrolment, folder) => {
        const { mark, number } = await revoke(enrolment, serial, { reason, listDays })
        const crl = join(folder, 'crl.pem')
        tell(options.json, { ...mark, number, crl }, () => renderRevoked(mark) + renderPublished(number, crl))
      })
    },

    crl: async (options: Common & ListDays) => {
      const listDays = daysOf('--crl-days', options.crlDays)
      await enrolling(options.config, async (enrolment, folder) => {
        const number = await publishList(enrolment, listDays)
        const crl = join(folder, 'crl.pem')
        tell(options.json, { number, crl }, () => renderPublished(number, crl))
      })
    },

    list: async (options: Common & { readonly ending?: string }) => {
      const { folder } = await readConfig(options.config, EnrolConfig, 'enrol')
      const [register, now] = [openRegister(folder), systemClock.now()]
      await register.authority()
      const ending = options.ending === undefined ? undefined : daysOf('--ending', options.ending)
      const all = await listCertificates({ register, now })
      const shown = all.filter(
        ({ state, notAfter }) =>
          ending === undefined || (state === 'current' && notAfter < now + ending * 86_400),
      )
      if (options.json === true) for (const { certificate: _, ...fields } of shown) terminal.printJson(fields)
      else terminal.print(renderList(shown, now))
      if (ending !== undefined && shown.length > 0) exit(1)
    },
  }
}

async function enrolling(
  path: string,
  work: (enrolment: Enrolment, folder: string) => Promise<void>,
): Promise<void> {
  const config = await readConfig(path, EnrolConfig, 'enrol')
  const { folder, key, oci, simulation } = config
  if (key.kind === 'vault' && oci === undefined)
    throw new CodedError('config.invalid', 'oci: a key in the Vault needs it')
  const services = oci === undefined ? undefined : openServices({ oci, simulation })
  try {
    const signer = await openSigner(key, 'key', () => {
      if (services !== undefined) return services.keyVault()
      throw new CodedError('config.invalid', 'oci: a key in the Vault needs it')
    })
    await work({ register: openRegister(folder), signer, now: systemClock.now() }, folder)
  } finally {
    services?.close()
  }
}

function issuedFields(issued: Issued, file: string): object {
  const { certificate: _, ...fields } = issued
  return { ...fields, file }
}

async function requestedKey(path: string) {
  return readRequest(await readFileUpTo(path, MAX_REQUEST_BYTES, 'input.unreadable'))
}

/** A serial number as it is, or that of a certificate in a file. */
async function serialOf(text: string): Promise<string> {
  if (/^[0-9a-f]{32}$/.test(text)) return text
  const bytes = await readFileUpTo(text, MAX_REQUEST_BYTES, 'input.unreadable')
  try {
    return new X509Certificate(bytes).serialNumber.toLowerCase()
  } catch (cause) {
    throw new CodedError('enrolment.malformed', `${text} has no certificate in PEM`, { cause })
  }
}

function nameOf(text: string): string {
  if (Name.safeParse(text).success) return text
  throw usage('--name', text, 'a name of a-z, 0-9 and -')
}

function reasonOf(text: string): Reason {
  if (isReason(text)) return text
  throw usage('--reason', text, Object.keys(REASONS).join(', '))
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text)
}

function daysOf(option: string, text: string): number {
  const days = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= MAX_DAYS) return days
  throw usage(option, text, `1 to ${MAX_DAYS} days`)
}

function usage(option: string, found: string, expected: string): CodedError {
  return new CodedError('usage.invalid', `${option} is ${JSON.stringify(found)}, expected ${expected}`)
}
