/** What the configuration names on disk, read and checked before anything listens or is called. */
import { readFile } from 'node:fs/promises'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { CodedError } from '#core/errors.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import type { Clock } from '#ports/clock.ts'
import type { VerifierConfig } from './config.ts'
import { readEndorsements } from './endorsements.ts'

export type Material = {
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string }
  readonly roots: TrustStore
  /** Has made no call yet. */
  readonly oci: Oci
}

/** Throws `config.invalid`, or the code of a certificate that is not what its name says. */
export async function readMaterial(
  { tls, endorsements, simulation, oci }: VerifierConfig,
  clock: Clock,
): Promise<Material> {
  return {
    tls: {
      cert: await readPem('tls.cert', tls.cert),
      key: await readPem('tls.key', tls.key),
      clientCa: await readPem('tls.clientCa', tls.clientCa),
    },
    roots: await readEndorsements(endorsements, simulation),
    oci: createOci(oci, { allowPlainHttp: simulation, clock }),
  }
}

async function readPem(field: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CodedError('config.invalid', `${field}: ${path} cannot be read`, { cause })
  }
}
