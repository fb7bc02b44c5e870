/** Reference values of one approved software reference on approved hardware, as a policy carries them: every field, nothing unsaid. */
import { z } from 'zod'
import type { Reference } from '../appraisal/reference.ts'
import { hexBytes, name, sha256Digest, time } from '../fields.ts'
import { PRODUCTS } from '../snp/product.ts'

/** What a bit of the report must be; there is no "not checked". */
const bit = z.enum(['required', 'forbidden', 'any'])
const byte = z.int().min(0).max(255)

/** Least value of each TCB component; `fmc` exists on Turin alone and is 0 elsewhere. */
const TcbFloor = z.strictObject({ fmc: byte, bootloader: byte, tee: byte, snp: byte, microcode: byte })

const Processor = z.strictObject({
  product: z.enum(PRODUCTS),
  /** CPUID family, model and stepping, combined values as in the report. */
  family: byte,
  model: byte,
  stepping: byte,
  /** Held against each of reported, committed, current and launch TCB. */
  floor: TcbFloor,
})

/** Values of which the report must carry one, or the word `any`. */
const anyOr = (entry: z.ZodString, limit = 64) =>
  z.union([z.literal('any'), z.array(entry).min(1).max(limit)])

/** All zero is what the firmware writes where there is nothing: it names no key and no chip, so it is no reference value. */
const setBytes = (bytes: number) =>
  hexBytes(bytes).regex(/[^0]/, 'must not be all zero, which stands for none')

/** Three months: longer, and a list that nobody refreshes would hide a revocation for good. */
const MAX_GRACE_SECONDS = 90 * 86_400

const Schema = z.strictObject({
  id: name,
  assurance: z.enum(['measured', 'platform']),
  notBefore: time,
  notAfter: time,
  measurements: z.array(hexBytes(48)).min(1).max(64),
  /**
   * Whether AMD's revocation list must have been looked at, and for how long after its nextUpdate it still counts. AMD issues one
   * about every six weeks. A list that names the chain's ASK or ASVK refuses in either case.
   */
  crl: z.union([
    z.literal('not-required'),
    z.strictObject({ graceSeconds: z.int().min(0).max(MAX_GRACE_SECONDS) }),
  ]),
  /**
   * Cloud providers (CSP_ID of the VLEK certificate) whose VLEKs are accepted beside VCEKs; empty, VCEK alone. A VLEK is held
   * by the provider and names no chip.
   */
  cspIds: z
    .array(z.string().regex(/^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 printable characters of ASCII'))
    .max(16),
  processors: z.array(Processor).min(1).max(64),
  /** Least firmware (API major, minor and build), current and committed. Compared in this order. */
  firmware: z.strictObject({ major: byte, minor: byte, build: byte }),
  /**
   * `committed`: the firmware that runs is the one that the host cannot go back behind, in TCB and version.
   * `provisional`: committed may lag behind current, as on clouds that try a firmware before they commit it. Floors hold either way.
   */
  firmwareProfile: z.enum(['committed', 'provisional']),
  /** Bits of LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR that must be set, the most significant first. Reports have them from version 5 on. */
  mitigations: z.strictObject({ launch: hexBytes(8), current: hexBytes(8) }),
  guestPolicy: z.strictObject({
    /** Least firmware ABI that the guest demanded at launch. */
    abi: z.strictObject({ major: byte, minor: byte }),
    smt: bit,
    migrateMa: bit,
    debug: bit,
    singleSocket: bit,
    cxl: bit,
    aes256Xts: bit,
    raplDisabled: bit,
    ciphertextHiding: bit,
    pageSwapDisabled: bit,
  }),
  platformInfo: z.strictObject({
    smt: bit,
    tsme: bit,
    ecc: bit,
    raplDisabled: bit,
    ciphertextHiding: bit,
    aliasCheck: bit,
    iommuWriteSafe: bit,
    tio: bit,
  }),
  vmpl: z.int().min(0).max(3),
  /** Least GUEST_SVN: the guest owner's own version number, of the ID block. */
  guestSvn: z.int().min(0).max(0xffff_ffff),
  /** FAMILY_ID and IMAGE_ID, of the ID block; all zero is a guest without one. */
  familyIds: anyOr(hexBytes(16)),
  imageIds: anyOr(hexBytes(16)),
  /** SHA-384 of the keys that signed the ID block, and the ID key. An author key counts only where the report says AUTHOR_KEY_EN. */
  idKeyDigests: anyOr(setBytes(48)),
  authorKeyDigests: anyOr(setBytes(48)),
  /** HOST_DATA: chosen by the host at launch, signed but not measured. */
  hostData: anyOr(hexBytes(32)),
  /** Trust digests of worker configurations (docs/formats.md, "Trust digest"). */
  trust: z.array(sha256Digest).min(1).max(64),
  /** CHIP_ID: hardware ids, those of Turin filled up with zeros. */
  chips: anyOr(setBytes(64), 4096),
})

/** As `Reference`, with nothing left open about the software. */
export type PolicyReference = Reference & {
  readonly measurements: readonly string[]
  readonly trust: readonly string[]
}
export const PolicyReferenceSchema: z.ZodType<PolicyReference> = Schema

/** A reference for looking at reports by hand, where neither image nor configuration need be known. */
export const ReferenceSchema: z.ZodType<Reference> = z.strictObject({
  ...Schema.shape,
  measurements: z.union([z.literal('any'), Schema.shape.measurements]),
  trust: z.union([z.literal('any'), Schema.shape.trust]),
})
