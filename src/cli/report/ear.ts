/**
 * The result of `report verify` as an EAT Attestation Result: draft-ietf-rats-ear-04, with the values of
 * draft-ietf-rats-ar4si. A relying party that reads only `ear_status` finds `affirming` for an accepted
 * report of a measured image under AMD's roots, and for nothing else.
 */
import type { ReportResult } from '#core/appraisal/reportResult.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { type ErrorCode, errorRow } from '#core/errors.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import type { UnixSeconds } from '#core/time.ts'

const EAR_PROFILE = 'tag:ietf.org,2026:rats/ear#04'
const SUBMODULE = 'sev-snp'

type Tier = 'none' | 'affirming' | 'warning' | 'contraindicated'
/** AR4SI's categories. Without file-system, storage-opaque and sourced-data: a report says nothing of them. */
type Category = 'hardware' | 'executables' | 'configuration' | 'instance-identity' | 'runtime-opaque'
type Vector = Readonly<Record<Category, number>>

export type Ear = {
  readonly eat_profile: typeof EAR_PROFILE
  readonly iat: UnixSeconds
  readonly ear_verifier_id: { readonly developer: string; readonly build: string }
  readonly submods: Readonly<
    Record<
      typeof SUBMODULE,
      {
        readonly ear_status: Tier
        readonly ear_trustworthiness_vector: Vector
        readonly ear_appraisal_policy_ids?: readonly string[]
      }
    >
  >
}

/** AR4SI §2.3: 2 is the best of each category, 96 contraindicated, 97 not recognised. */
const NO_CLAIM = 0
const UNREADABLE = 1
const GOOD = 2
const BAD = 96
const UNRECOGNISED = 97
const BAD_CRYPTOGRAPHY = 99

const NOTHING: Vector = {
  hardware: NO_CLAIM,
  executables: NO_CLAIM,
  configuration: NO_CLAIM,
  'instance-identity': NO_CLAIM,
  'runtime-opaque': NO_CLAIM,
}

/** The category that a refusal speaks about, by the family of its code. Others are about configuration. */
const CATEGORIES: Readonly<Record<string, Category>> = {
  tcb: 'hardware',
  product: 'hardware',
  firmware: 'hardware',
  mitigations: 'hardware',
  'platform-info': 'hardware',
  crl: 'hardware',
  root: 'hardware',
  'signing-key': 'hardware',
  measurement: 'executables',
  reference: 'executables',
  'id-key': 'executables',
  'author-key': 'executables',
  'family-id': 'executables',
  'image-id': 'executables',
  'guest-svn': 'executables',
  chip: 'instance-identity',
}

/** The claims set. `build` names this software and its version. */
export function earOf(result: ReportResult, iat: UnixSeconds, build: string): Ear {
  const vector = vectorOf(result)
  const policy = policyId(result.policy)
  return {
    eat_profile: EAR_PROFILE,
    iat,
    ear_verifier_id: { developer: 'confidential-worker', build },
    submods: {
      [SUBMODULE]: {
        ear_status: statusOf(result, vector),
        ear_trustworthiness_vector: vector,
        ...(policy !== undefined && { ear_appraisal_policy_ids: [policy] }),
      },
    },
  }
}

/** The same as a JWT (RFC 7519, media type of RFC 9782), by Ed25519 or P-384. */
export async function signEar(ear: Ear, { jwk, sign }: Signer): Promise<string> {
  const header = { alg: jwk.kty === 'OKP' ? 'EdDSA' : 'ES384', kid: thumbprint(jwk), typ: 'eat+jwt' }
  const input = [header, ear].map((part) => toBase64url(utf8(JSON.stringify(part)))).join('.')
  return `${input}.${toBase64url(await sign(utf8(input)))}`
}

function vectorOf({ verdict, report, reasons, root, assurance }: ReportResult): Vector {
  if (report === null) return everything(UNREADABLE)
  if (reasons.some(({ code }) => isUnauthentic(code))) return everything(BAD_CRYPTOGRAPHY)
  const bad = reasons.map(({ code }) => [categoryOf(code), BAD] as const)
  const simulated = root?.simulated === false ? [] : [['hardware', UNRECOGNISED] as const]
  const genuine: Vector = { ...NOTHING, hardware: GOOD, 'runtime-opaque': GOOD }
  if (verdict !== 'accepted') return { ...genuine, ...Object.fromEntries([...bad, ...simulated]) }
  const executables = assurance === 'measured' ? GOOD : NO_CLAIM
  return { ...genuine, configuration: GOOD, executables, ...Object.fromEntries(simulated) }
}

/** Never better than the worst of the vector, and affirming only for what was asked and found good. */
function statusOf({ verdict, assurance }: ReportResult, vector: Vector): Tier {
  if (vector.hardware === UNREADABLE) return 'none'
  if (verdict === 'refused' || Object.values(vector).some((value) => value >= BAD)) return 'contraindicated'
  return verdict === 'accepted' && assurance === 'measured' ? 'affirming' : 'warning'
}

function everything(value: number): Vector {
  return {
    hardware: value,
    executables: value,
    configuration: value,
    'instance-identity': value,
    'runtime-opaque': value,
  }
}

/** Refused before appraisal: signature, chain or binding. */
function isUnauthentic(code: ErrorCode): boolean {
  return ['evidence', 'binding'].includes(errorRow(code).stage ?? '')
}

function categoryOf(code: ErrorCode): Category {
  return CATEGORIES[code.split('.')[0] ?? ''] ?? 'configuration'
}

function policyId(policy: ReportResult['policy']): string | undefined {
  if (policy === 'none') return undefined
  return `urn:confidential-worker:policy:${typeof policy === 'string' ? policy : policy.seq}`
}
