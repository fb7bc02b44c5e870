/** The files, devices and clients that the configuration names, opened and checked before the first call. */
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { createReplicas, type Replicas } from '#adapters/http/replicas.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { createReportSource } from '#adapters/sev/source.ts'
import { type ClockSkew, createClockSkew } from '#adapters/system/clockSkew.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { openSecretMemory } from '#adapters/system/secretMemory.ts'
import { readTlsFiles, type TlsFiles, type TlsPaths } from '#adapters/system/tlsFiles.ts'
import { CodedError } from '#core/errors.ts'
import { type TrustAnchors, trustDigest } from '#core/release/trust.ts'
import type { SegmentCipher } from '#core/sealed/cipher.ts'
import { plainMemory, type SecretMemory } from '#core/secretMemory.ts'
import type { Clock } from '#ports/clock.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import type { WorkerConfig } from './config.ts'
import { loadWorkloads, workloadAnchor } from './workloads/registry.ts'
import type { Workload } from './workloads/workload.ts'

/** DEK, idKey and pseudonym key of the object that a job reads, one at a time, and the DEK of its result. */
const SECRETS_PER_JOB = 4

/** A release of many objects may wait for a Vault that throttles. */
const VERIFIER_TIMEOUT_MS = 30_000

export type Trust = {
  readonly workloads: readonly Workload[]
  readonly anchors: TrustAnchors
  /** The trust digest. */
  readonly digest: Buffer
}

export type Material = {
  readonly trust: Trust
  readonly reports: ReportSource
  readonly service: Replicas
  /** Has made no call yet. */
  readonly oci: Oci
  readonly skew: ClockSkew
  readonly tls: TlsFiles
  readonly cipher: SegmentCipher
  readonly memory: SecretMemory
}

/** The worker's identity by configuration and code, as the trust digest covers it. */
export async function readTrust(config: WorkerConfig): Promise<Trust> {
  const workloads = await loadWorkloads()
  const anchors = { ...config.trust, workloads: workloads.map(workloadAnchor).sort() }
  return { workloads, anchors, digest: trustDigest(anchors) }
}

/**
 * Throws `config.invalid`, `sev.unavailable` without a source of reports, `memory.unlocked` without lockable
 * memory.
 */
export async function readMaterial(config: WorkerConfig, clock: Clock, log: Log): Promise<Material> {
  const { verifier, trust } = config
  expectMemory(config, process.constrainedMemory())
  const { cipher, provider } = loadSegmentCipher()
  log.info('segment cipher loaded', { provider })
  const skew = createClockSkew(clock, log)
  const tls = await readTlsFiles(verifierFiles(config))
  return {
    trust: await readTrust(config),
    reports: await createReportSource(config.attestation, { simulation: trust.simulation, clock, log }),
    service: createReplicas(
      verifier.urls,
      (url) => createReleaseService({ url, tls: tls.current, timeoutMs: VERIFIER_TIMEOUT_MS, skew }),
      { clock, log },
    ),
    oci: createOci(config.oci, { allowPlainHttp: trust.simulation, clock, skew }),
    skew,
    tls,
    cipher,
    memory: openMemory(config, log),
  }
}

export function verifierFiles({ verifier }: Pick<WorkerConfig, 'verifier'>): TlsPaths {
  return {
    ca: { field: 'verifier.ca', path: verifier.ca },
    crl: { field: 'verifier.crl', path: verifier.crl },
    cert: { field: 'verifier.cert', path: verifier.cert },
    key: { field: 'verifier.key', path: verifier.key },
  }
}

/** `available`: what the cgroup of this process allows, in bytes; 0 or a huge number without a limit. */
export function expectMemory({ batch: { memoryMib } }: Pick<WorkerConfig, 'batch'>, available: number): void {
  const availableMib = Math.floor(available / (1024 * 1024))
  if (available > 0 && availableMib < memoryMib)
    throw new CodedError(
      'config.invalid',
      `batch.memoryMib is ${memoryMib}, but this process may use only ${availableMib} MiB (in a unit MemoryMax=)`,
    )
}

/** A simulation may run without locked memory, and logs it. A worker with real keys does not start. */
function openMemory({ trust, batch }: WorkerConfig, log: Log): SecretMemory {
  try {
    return openSecretMemory(batch.concurrency * SECRETS_PER_JOB)
  } catch (error) {
    if (!trust.simulation) throw error
    log.warn('simulation: keys are in plain memory', errorFields(error))
    return plainMemory
  }
}
