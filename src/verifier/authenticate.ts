/** The line that nobody crosses without authenticity: pure steps in the order of docs/design.md, no state touched. */
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import type { Asker } from '#core/release/assertion.ts'
import { verifyAssertion } from '#core/release/assertion.ts'
import { expectBinding, type ReadRequest, readRequest } from '#core/release/binding.ts'
import { checkNonce, type NonceKey } from '#core/release/nonce.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import type { Crl } from '#core/snp/crl.ts'
import { parseReport } from '#core/snp/report.ts'
import { type VerifiedReport, verifyReport } from '#core/snp/verify.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { InForce } from './policyStore.ts'

/** A request whose parts are by whom they say and about each other. Whether it may have anything is another question. */
export type AuthenticRequest = {
  readonly request: ReadRequest
  readonly asker: Asker
  readonly verified: VerifiedReport
  /** What every entry about this request says of the evidence. */
  readonly attestation: {
    readonly runtimeDataDigest: string
    readonly reportDigest: string
    readonly measurement: string
  }
}

export type Gate = {
  readonly audience: string
  readonly nonceKeys: () => readonly NonceKey[]
  readonly inForce: () => InForce
  readonly roots: TrustStore
  /** From our own disk and fetch. */
  readonly crls: () => readonly Crl[]
}

/** Throws the code of the first step that fails. */
export function authenticate(
  body: Uint8Array,
  gate: Gate,
  now: UnixSeconds,
): AuthenticRequest & { readonly inForce: InForce } {
  const request = readRequest(body)
  const report = parseReport(request.report)
  checkNonce(request.nonce, gate.nonceKeys(), gate.audience, now)
  expectBinding(request, report.reportData, gate.audience)
  const inForce = gate.inForce()
  const asker = verifyAssertion(
    request.clientAssertion,
    {
      clients: inForce.loaded.policy.clients,
      audience: gate.audience,
      nonce: request.nonce,
      wrapKey: request.wrapKey,
    },
    now,
  )
  const verified = verifyReport(report, request.certs, { roots: gate.roots, crls: gate.crls(), at: now })
  return {
    request,
    asker,
    verified,
    inForce,
    attestation: {
      runtimeDataDigest: toBase64url(sha256(request.runtimeDataBytes)),
      reportDigest: toBase64url(sha256(request.report)),
      measurement: toHex(report.measurement),
    },
  }
}
