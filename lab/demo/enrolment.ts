/**
 * Enrolment before the first release: the hospital learns of worker, client and recipient, and signs a
 * policy.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { openBench } from '#cli/policy/governance.ts'
import { sha256, toHex } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { sha256Digest } from '#core/fields.ts'
import type { Policy } from '#core/policy/policy.ts'
import { TrustAnchors } from '#core/release/trust.ts'
import { runToSuccess } from './command.ts'
import { publishGovernance } from './governance.ts'
import { MEASUREMENTS } from './guests.ts'
import type { Identities } from './identities.ts'
import type { UserName } from './names.ts'
import { type DeploymentSettings, governConfig, instancePrincipal, ociOf } from './programConfigs.ts'

const WorkerTrust = z.object({ anchors: TrustAnchors, digest: sha256Digest })
export type WorkerTrust = z.output<typeof WorkerTrust>

/** Asks the worker for the trust digest of its configuration. The consumer sends it to the hospital. */
export async function askWorkerTrust(
  configFile: string,
  options: { readonly logFolder: string; readonly signal: AbortSignal },
): Promise<WorkerTrust> {
  const stdout = await runToSuccess({
    ...options,
    file: 'src/worker/main.ts',
    parameters: ['--config', configFile, '--trust'],
    log: 'commands',
  })
  const value = parseJson(Buffer.from(stdout), "the worker's trust anchors")
  return checkShape(WorkerTrust, value, "the worker's trust anchors", 'internal.fault')
}

/** Signs and publishes `verifier-keys/1` and `policy/1`. */
export async function enrol(options: {
  readonly settings: DeploymentSettings
  readonly identities: Identities
  readonly trust: WorkerTrust
  /** The worker whose instance may read the public client key. */
  readonly worker: string
  readonly ociAs: (user: UserName) => Oci
}): Promise<Policy> {
  const { settings, identities, trust, ociAs } = options
  const worker = createOci(ociOf(settings, instancePrincipal(settings, options.worker)), {
    allowPlainHttp: true,
    clock: systemClock,
  })
  try {
    const governor = ociAs('governor')
    return await publishGovernance(
      openBench(governConfig(settings, 'governor'), governor),
      {
        provider: governor.keyVault(),
        client: worker.keyVault(),
        result: ociAs('researcher').keyVault(),
      },
      {
        ...identities,
        ark: await arkFingerprint(settings.amdFolder),
        measurements: { measured: MEASUREMENTS.approved, platform: MEASUREMENTS.platform },
        trust: trust.digest,
        workload: onlyWorkload(trust),
        now: systemClock.now(),
      },
    )
  } finally {
    worker.close()
  }
}

async function arkFingerprint(amdFolder: string): Promise<string> {
  const { raw } = new X509Certificate(await readFile(join(amdFolder, 'Genoa', 'ark.der')))
  return toHex(sha256(raw))
}

function onlyWorkload({ anchors }: WorkerTrust): string {
  const [workload, ...others] = anchors.workloads
  if (workload === undefined || others.length > 0)
    throw new CodedError(
      'internal.fault',
      `the worker has ${anchors.workloads.length} workloads, the demo expects one`,
    )
  return workload
}
