/** A guest on the simulated host, and its description on disk, which the hook of a fake device reads. */
import type { KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { hexBytes } from '#core/fields.ts'
import { type AmdAuthority, openAuthority } from './authority.ts'
import { type Platform, PlatformSchema } from './platform.ts'
import { mintReport, parseRequest } from './report.ts'

export const GuestName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be a-z, 0-9 and -')

export type Guest = {
  /** The report for a request of 96 bytes. Undefined if the firmware answers INVALID_PARAM. */
  readonly report: (request: Uint8Array) => Buffer | undefined
  /** In DER: VCEK and ASK, or VLEK and ASVK. */
  readonly certs: readonly Buffer[]
}

const Description = z.strictObject({ reportId: hexBytes(32), platform: PlatformSchema })
export type Description = z.input<typeof Description>

export async function writeDescription(
  stateDir: string,
  name: string,
  description: Description,
): Promise<void> {
  await writeFile(descriptionFile(stateDir, name), JSON.stringify(description), { mode: 0o600 })
}

/** Opens the guest `name` by its latest description. Throws `config.invalid`. */
export async function openGuest(stateDir: string, name: string): Promise<Guest> {
  const bytes = await readFile(
    descriptionFile(stateDir, checkShape(GuestName, name, 'guest name', 'config.invalid')),
  )
  const { platform, reportId } = checkShape(
    Description,
    parseJson(bytes, 'guest description'),
    'guest description',
    'config.invalid',
  )
  const authority = await openAuthority(stateDir, platform.product)
  return createGuest(authority, platform, Buffer.from(reportId, 'hex'))
}

function createGuest(
  authority: AmdAuthority,
  described: z.output<typeof PlatformSchema>,
  reportId: Uint8Array,
): Guest {
  const platform: Platform = { ...described, hardwareId: described.hardwareId ?? authority.hardwareId }
  const { key, certs } = endorsementOf(authority, platform)
  return {
    report: (bytes) => {
      const request = parseRequest(bytes, platform)
      return request === undefined ? undefined : mintReport(platform, request, reportId, key)
    },
    certs,
  }
}

/** The key that signs a platform's reports, and its certificates: the leaf, then its issuer. */
export function endorsementOf(
  authority: AmdAuthority,
  { signingKey, hardwareId, cspId, tcb }: Platform,
): { readonly key: KeyObject; readonly certs: readonly [Buffer, Buffer] } {
  if (signingKey === 'vlek') {
    const { key, vlekDer } = authority.endorseProvider(cspId, tcb.reported)
    return { key, certs: [vlekDer, authority.asvkDer] }
  }
  const { key, vcekDer } = authority.endorse(hardwareId, tcb.reported)
  return { key, certs: [vcekDer, authority.askDer] }
}

function descriptionFile(stateDir: string, name: string): string {
  return join(stateDir, `${name}.guest.json`)
}
