/** Where the hostile clients play: a strict policy, a good worker, and what an attacker has in his hands. */
import { fromBase64url, sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { keySigner } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { NonceKey } from '#core/release/nonce.ts'
import { provePossession } from '#core/release/possession.ts'
import type { ReleaseJob, ReleaseRequest } from '#core/release/request.ts'
import { type RuntimeData, RuntimeDataFormat, reportDataOf } from '#core/release/runtimeData.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { mint } from '../../amd.ts'
import type { Deployment, Sealed } from '../deployment.ts'
import type { createWorker } from '../worker.ts'

export type Scene = {
  readonly deployment: Deployment
  readonly worker: ReturnType<typeof createWorker>
  readonly sealed: Sealed
  /** A request that was answered with keys. */
  readonly recorded: ReleaseRequest
  /** The Verifier's own. No client has it: with it, a test makes nonces of any age. */
  readonly nonceKey: NonceKey
}

const ID_KEY = 'c1'.repeat(48)

/** The machine that the policy approves, as a host with every protection on starts it. */
export const GOOD = {
  idKeyDigest: ID_KEY,
  guestPolicy: { smt: false },
  platformInfo: { smt: false, ciphertextHiding: true },
} as const satisfies Partial<PlatformInput>

/** The deployment's policy with every demand that a report can break. */
export function strictPolicy(deployment: Deployment, seq: number): Policy {
  const { referenceValues, ...policy } = deployment.policy(seq)
  const { hardwareId } = deployment.authority
  return {
    ...policy,
    referenceValues: referenceValues.map((reference) => ({
      ...reference,
      chips: [hardwareId],
      hostData: ['00'.repeat(32)],
      idKeyDigests: [ID_KEY],
      guestPolicy: { ...reference.guestPolicy, smt: 'forbidden', migrateMa: 'forbidden' },
      platformInfo: { ...reference.platformInfo, smt: 'forbidden', ciphertextHiding: 'required' },
    })),
  }
}

/** What a hostile guest on the approved machine can do: bind whatever it likes in a genuine report. */
export async function bindAnew(
  { deployment, worker }: Scene,
  request: ReleaseRequest,
  changes: {
    readonly runtimeData?: Partial<Record<keyof RuntimeData, unknown>>
    readonly assertion?: string
    readonly vmpl?: number
    readonly authority?: AmdAuthority
    readonly platform?: Partial<PlatformInput>
  },
): Promise<ReleaseRequest> {
  const { assertion: clientAssertion = request.clientAssertion, vmpl } = changes
  const { authority = deployment.authority, platform = GOOD } = changes
  const runtimeData = canonicalBytes({
    ...RuntimeDataFormat.decode(fromBase64url(request.runtimeData)),
    assertion: toBase64url(sha256(utf8(clientAssertion))),
    ...changes.runtimeData,
  })
  const reportData = reportDataOf(runtimeData)
  const { bytes, certs } = mint(authority, platform, {
    reportData,
    ...(vmpl !== undefined && { vmpl }),
  })
  return {
    ...request,
    evidence: { type: 'sev-snp', report: toBase64url(bytes), certs: certs.map(toBase64url) },
    runtimeData: toBase64url(runtimeData),
    clientAssertion,
    possession: await provePossession(reportData, keySigner(worker.evidence)),
  }
}

/** The job of a header that someone else wrote. */
export function jobWith({ job }: Sealed, header: string): ReleaseJob {
  return { ...job, objects: job.objects.map((object) => ({ ...object, header })) }
}
