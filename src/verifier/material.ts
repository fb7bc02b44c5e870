/** The files that the configuration names, read and checked before the Verifier calls a service. */
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { createKds, type Kds } from '#adapters/sev/kds.ts'
import { type ClockSkew, createClockSkew } from '#adapters/system/clockSkew.ts'
import type { Log } from '#adapters/system/log.ts'
import {
  type OwnTls,
  type OwnTlsPaths,
  readGivenTlsFiles,
  type TlsFiles,
  type TlsPaths,
  type TlsSet,
} from '#adapters/system/tlsFiles.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import type { Clock } from '#ports/clock.ts'
import type { VerifierConfig } from './config.ts'
import { type HeldCrl, readCrl, readTrustStore } from './endorsements.ts'

export type VerifierMaterial = {
  /** Without CAs of clients if their certificates are looked at by a gateway. */
  readonly tls: TlsFiles<OwnTls | TlsSet>
  readonly roots: TrustStore
  /** The lists on disk. Newer ones may follow. */
  readonly crls: readonly HeldCrl[]
  /** Undefined if no service is to be asked for them. */
  readonly kds: { readonly client: Kds; readonly refreshSeconds: number } | undefined
  /** It has made no call yet. */
  readonly oci: Oci
  readonly skew: ClockSkew
}

/** Throws `config.invalid`, or the code of a certificate that does not fit its name. */
export async function readMaterial(
  config: VerifierConfig,
  clock: Clock,
  log: Log,
): Promise<VerifierMaterial> {
  const { endorsements, simulation, oci } = config
  const skew = createClockSkew(clock, log)
  const { folder, kds } = endorsements
  const roots = await readTrustStore(folder, simulation)
  const crls = await Promise.all(roots.roots.map(({ product }) => readCrl(folder, product, roots)))
  return {
    tls: await readGivenTlsFiles(serverFiles(config)),
    roots,
    crls: crls.filter((crl) => crl !== undefined),
    kds:
      kds === undefined
        ? undefined
        : {
            client: createKds({ url: kds.url, simulation, clock }),
            refreshSeconds: kds.refreshHours * 3600,
          },
    oci: createOci(oci, { allowPlainHttp: simulation, clock, skew }),
    skew,
  }
}

/** Those of clients only if their certificates are looked at here. */
export function serverFiles({ tls }: Pick<VerifierConfig, 'tls'>): OwnTlsPaths | TlsPaths {
  const own = { cert: { field: 'tls.cert', path: tls.cert }, key: { field: 'tls.key', path: tls.key } }
  if (tls.clientCertificates === 'at-gateway') return own
  return {
    ...own,
    ca: { field: 'tls.clientCa', path: tls.clientCa },
    crl: { field: 'tls.clientCrl', path: tls.clientCrl },
  }
}
