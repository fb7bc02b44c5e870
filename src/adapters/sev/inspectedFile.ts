/** One certificate or revocation list: what it is, and whether it verifies at a given time. */
import { sha256, toHex } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { type Certificate, parseCertificate } from '#core/snp/certificate.ts'
import { openCrl } from '#core/snp/crl.ts'
import { reading } from '#core/snp/der.ts'
import { openRoot, type RootEntry } from '#core/snp/roots.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'

/** `simulated`: in order, but under a root that is not AMD's. */
type FileState = 'good' | 'simulated' | 'expired' | 'revoked' | 'untrusted' | 'malformed'

export type InspectedFile = {
  /** Below the folder. */
  readonly file: string
  readonly state: FileState
  /** Null if nothing is wrong. */
  readonly problem: Problem | null
  readonly subject: string | null
  readonly serial: string | null
  /** SHA-256 of the DER. */
  readonly sha256: string
  /** For an ARK: whether its fingerprint is AMD's. */
  readonly pinned: boolean | null
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly daysLeft: number | null
  readonly crl: { readonly number: string; readonly revoked: readonly string[] } | null
}

type Problem = { readonly code: ErrorCode; readonly message: string }

const STATES: Partial<Record<ErrorCode, FileState>> = {
  'chain.expired': 'expired',
  'crl.stale': 'expired',
  'chain.revoked': 'revoked',
  'chain.untrusted': 'untrusted',
  'crl.untrusted': 'untrusted',
  'chain.kind-mismatch': 'untrusted',
  'chain.product-mismatch': 'untrusted',
  'chain.chip-mismatch': 'untrusted',
}

export type Judged<Value> =
  | { readonly value: Value; readonly problem: null }
  | { readonly value: undefined; readonly problem: Problem }

/** Runs a check. A `CodedError` becomes the problem; any other error is a fault and goes on. */
export function judge<Value>(check: () => Value): Judged<Value> {
  try {
    return { value: check(), problem: null }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return { value: undefined, problem: { code: error.code, message: error.message } }
  }
}

function stateOf({ value, problem }: Judged<{ readonly simulated: boolean }>): FileState {
  if (problem !== null) return STATES[problem.code] ?? 'malformed'
  return value.simulated ? 'simulated' : 'good'
}

/** `verify` returns the root that the certificate verifies under, or throws. */
export function inspectCertificate(
  file: string,
  der: Buffer,
  at: UnixSeconds,
  verify: (certificate: Certificate) => { readonly simulated: boolean },
): InspectedFile {
  const parsed = judge(() => reading('a certificate', 'chain.malformed', () => parseCertificate(der)))
  const certificate = parsed.value
  const judged =
    certificate === undefined
      ? parsed
      : judge(() => {
          const root = verify(certificate)
          assertWithin('chain.expired', certificate.notBefore, certificate.notAfter, at)
          return root
        })
  return {
    file,
    state: stateOf(judged),
    problem: judged.problem,
    subject: certificate?.subject ?? null,
    serial: certificate?.serial ?? null,
    sha256: toHex(sha256(der)),
    pinned: null,
    ...windowOf(certificate?.notBefore, certificate?.notAfter, at),
    crl: null,
  }
}

export function inspectCrl(file: string, der: Buffer, root: RootEntry, at: UnixSeconds): InspectedFile {
  const opened = judge(() => openCrl(der, [openRoot(root)]))
  const crl = opened.value
  const judged =
    crl === undefined
      ? opened
      : judge(() => {
          assertWithin('crl.stale', crl.thisUpdate, crl.nextUpdate, at)
          return root
        })
  return {
    file,
    state: stateOf(judged),
    problem: judged.problem,
    subject: crl === undefined ? null : `ARK-${crl.product}`,
    serial: null,
    sha256: toHex(sha256(der)),
    pinned: null,
    ...windowOf(crl?.thisUpdate, crl?.nextUpdate, at),
    crl: crl === undefined ? null : { number: crl.number, revoked: [...crl.revoked] },
  }
}

function assertWithin(code: ErrorCode, from: UnixSeconds, to: UnixSeconds, at: UnixSeconds): void {
  if (at < from || at > to)
    throw new CodedError(code, `valid from ${toRfc3339(from)} to ${toRfc3339(to)}, not at ${toRfc3339(at)}`)
}

function windowOf(
  from: UnixSeconds | undefined,
  to: UnixSeconds | undefined,
  at: UnixSeconds,
): Pick<InspectedFile, 'validFrom' | 'validTo' | 'daysLeft'> {
  return {
    validFrom: from === undefined ? null : toRfc3339(from),
    validTo: to === undefined ? null : toRfc3339(to),
    daysLeft: to === undefined ? null : Math.floor((to - at) / 86_400),
  }
}
