/** Certificates for the key that signed a report: from the host, or from where the operator put them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CodedError } from '#core/errors.ts'

/**
 * Answers the DER of the VCEK or VLEK first, then the ASK or ASVK where it is at hand. `brought` is what the host's
 * certificate table held: untrusted, and possibly garbage, which must never be worse than nothing. The answer is evidence
 * and is verified by whoever reads it; a wrong one can only cause refusal. Throws `sev.unavailable` where none is to be had.
 */
export type Endorsements = {
  readonly certsFor: (
    report: Buffer,
    brought: readonly Buffer[],
    signal?: AbortSignal,
  ) => Promise<readonly Buffer[]>
}

/** The certificates of one folder, whatever the report. */
export function createEndorsements({ folder }: { readonly folder: string }): Endorsements {
  return { certsFor: () => readEndorsements(folder) }
}

/** In the order of a release request: whose key signed the report, then who certified that key. */
const LEAVES = ['vcek.der', 'vlek.der'] as const
const INTERMEDIATES = ['ask.der', 'asvk.der'] as const
const MAX_CERTIFICATE_BYTES = 4096

/**
 * The DER certificates of `folder`: exactly one of `vcek.der` and `vlek.der`, then `ask.der` or `asvk.der` if there.
 * Throws `sev.unavailable` where there is no leaf, two, or one that is too large.
 */
export async function readEndorsements(folder: string): Promise<readonly Buffer[]> {
  const leaves = await readPresent(folder, LEAVES)
  const intermediates = await readPresent(folder, INTERMEDIATES)
  if (leaves.length !== 1)
    throw new CodedError(
      'sev.unavailable',
      `${folder} holds ${leaves.length} of ${LEAVES.join(' and ')}; put the one certificate there that AMD's KDS gives for this chip and TCB, in DER`,
    )
  return [...leaves, ...intermediates]
}

async function readPresent(folder: string, names: readonly string[]): Promise<Buffer[]> {
  const files = await Promise.all(names.map((name) => readCertificate(join(folder, name))))
  return files.filter((bytes) => bytes !== undefined)
}

async function readCertificate(path: string): Promise<Buffer | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new CodedError('sev.unavailable', `${path} cannot be read`, { cause })
  }
  if (bytes.byteLength > MAX_CERTIFICATE_BYTES)
    throw new CodedError(
      'sev.unavailable',
      `${path} has ${bytes.byteLength} bytes; a certificate has at most ${MAX_CERTIFICATE_BYTES}`,
    )
  return bytes
}
