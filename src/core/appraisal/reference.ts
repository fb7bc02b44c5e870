/** Reference values: what a report is compared with. They come from a policy, a file, or the built-in set. */
import type { Refusal } from '../errors/report.ts'
import type { Product } from '../snp/product.ts'
import type { Tcb } from '../snp/tcb.ts'
import type { VerifiedReport } from '../snp/verify.ts'
import type { UnixSeconds } from '../time.ts'

/** What a bit of the report must be; there is no "not checked". */
export type BitRule = 'required' | 'forbidden' | 'any'

/** The report must carry one of these values; `any` accepts every value. */
export type AnyOr = 'any' | readonly string[]

/**
 * One approved build on approved hardware: every field, nothing unsaid. Bytes are lower-case hex, times are
 * seconds since the epoch. `measurements` and `trust` of a policy are lists; `any` is for `report verify`,
 * which says so.
 */
export type Reference = {
  readonly id: string
  /** The level that a match gives. */
  readonly assurance: 'measured' | 'platform'
  readonly notBefore: number
  readonly notAfter: number
  readonly measurements: AnyOr
  /**
   * `not-required`, or for how long after its nextUpdate AMD's revocation list still counts. AMD issues one
   * about every six
   * weeks. A list that names the chain's ASK or ASVK refuses in either case.
   */
  readonly crl: 'not-required' | { readonly graceSeconds: number }
  /**
   * Cloud providers (CSP_ID of the VLEK certificate) whose VLEKs are accepted beside VCEKs; empty, only VCEKs
   * are. A VLEK is held by the provider and names no chip.
   */
  readonly cspIds: readonly string[]
  readonly processors: readonly ProcessorReference[]
  /** Least firmware (API major, minor and build), current and committed. Compared in this order. */
  readonly firmware: { readonly major: number; readonly minor: number; readonly build: number }
  /**
   * `committed`: the host cannot go back behind the firmware that runs, in TCB and version. `provisional`:
   * committed may lag
   * behind current, as on clouds that try a firmware before they commit it. Floors hold either way.
   */
  readonly firmwareProfile: 'committed' | 'provisional'
  /**
   * Bits of LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR that must be set, the most significant first. Reports
   * have them from version 5 on.
   */
  readonly mitigations: { readonly launch: string; readonly current: string }
  /** `abi`: least firmware ABI that the guest demanded at launch. */
  readonly guestPolicy: Readonly<Record<GuestPolicyBit, BitRule>> & {
    readonly abi: { readonly major: number; readonly minor: number }
  }
  readonly platformInfo: Readonly<Record<PlatformBit, BitRule>>
  readonly vmpl: number
  /** Least GUEST_SVN: the guest owner's own version number, from the ID block. */
  readonly guestSvn: number
  /** FAMILY_ID and IMAGE_ID, from the ID block; all zero is a guest without one. */
  readonly familyIds: AnyOr
  readonly imageIds: AnyOr
  /**
   * SHA-384 of the keys that signed the ID block, and the ID key. An author key counts only if the report
   * says AUTHOR_KEY_EN.
   */
  readonly idKeyDigests: AnyOr
  readonly authorKeyDigests: AnyOr
  /** HOST_DATA: chosen by the host at launch, signed but not measured. */
  readonly hostData: AnyOr
  /** Trust digests of worker configurations, base64url (docs/formats.md, "Trust digest"). */
  readonly trust: AnyOr
  /** CHIP_ID: hardware ids, those of Turin padded with zeros. */
  readonly chips: AnyOr
}

type GuestPolicyBit =
  | 'smt'
  | 'migrateMa'
  | 'debug'
  | 'singleSocket'
  | 'cxl'
  | 'aes256Xts'
  | 'raplDisabled'
  | 'ciphertextHiding'
  | 'pageSwapDisabled'

type PlatformBit =
  | 'smt'
  | 'tsme'
  | 'ecc'
  | 'raplDisabled'
  | 'ciphertextHiding'
  | 'aliasCheck'
  | 'iommuWriteSafe'
  | 'tio'

/**
 * CPUID family, model and stepping, combined values as in the report, and what their TCB must reach at least.
 */
export type ProcessorReference = {
  readonly product: Product
  readonly family: number
  readonly model: number
  readonly stepping: number
  /** Compared with each of reported, committed, current and launch TCB. */
  readonly floor: Tcb
}

/** The reference values in force, and the roots that they are trusted under. */
export type AppraisalPolicy = {
  readonly roots: readonly { readonly product: Product; readonly ark: string; readonly simulated: boolean }[]
  /** Whether a simulated root may count. */
  readonly simulation: boolean
  readonly referenceValues: readonly Reference[]
}

/**
 * The report, and the circumstances that the rules depend on. `trust` is undefined for a report without a
 * worker.
 */
export type Subject = {
  readonly verified: VerifiedReport
  readonly trust: string | undefined
  readonly at: UnixSeconds
  /** Ids of revoked reference values. */
  readonly revoked: readonly string[]
}

/** Returns a refusal for each demand of the reference values that the report does not meet. */
export type Rule = (subject: Subject, reference: Reference) => readonly Refusal[]

export type Assurance = Reference['assurance']

/** Higher is more: `platform` says what hardware and firmware run, `measured` also which code. */
const LEVELS: Readonly<Record<Assurance, number>> = { platform: 0, measured: 1 }

export function meetsAssurance(given: Assurance, demanded: Assurance): boolean {
  return LEVELS[given] >= LEVELS[demanded]
}

/** At most two values, so that a reason stays within the limits of an evidence entry. */
export function oneOf(values: AnyOr): string {
  if (values === 'any') return values
  const shown = values.slice(0, 2).join(' or ')
  return values.length > 2 ? `${shown} or ${values.length - 2} more` : shown
}
