/**
 * The layout of ATTESTATION_REPORT (SEV-SNP firmware ABI, MSG_REPORT_RSP), versions 2 to 5: 1184 bytes,
 * little-endian. Each byte is in exactly one row of `FIELDS` or `RESERVED`. docs/formats/report.md shows the
 * same rows.
 */

/** Length of a report. */
export const REPORT_BYTES = 0x4a0
/** The signature covers the bytes before this offset. */
export const SIGNED_BYTES = 0x2a0
/** Values of VERSION that this verifier reads. */
export const REPORT_VERSIONS = [2, 3, 4, 5] as const
/** A value of VERSION. */
export type ReportVersion = (typeof REPORT_VERSIONS)[number]

/** Offset and size in bytes. In versions before `since` the field is reserved and zero. */
export type Field = { readonly at: number; readonly size: number; readonly since?: ReportVersion }

/** The fields of a report. */
export const FIELDS = {
  version: { at: 0x000, size: 4 },
  guestSvn: { at: 0x004, size: 4 },
  policy: { at: 0x008, size: 8 },
  familyId: { at: 0x010, size: 16 },
  imageId: { at: 0x020, size: 16 },
  vmpl: { at: 0x030, size: 4 },
  signatureAlgorithm: { at: 0x034, size: 4 },
  currentTcb: { at: 0x038, size: 8 },
  platformInfo: { at: 0x040, size: 8 },
  signerInfo: { at: 0x048, size: 4 },
  reportData: { at: 0x050, size: 64 },
  measurement: { at: 0x090, size: 48 },
  hostData: { at: 0x0c0, size: 32 },
  idKeyDigest: { at: 0x0e0, size: 48 },
  authorKeyDigest: { at: 0x110, size: 48 },
  reportId: { at: 0x140, size: 32 },
  reportIdMa: { at: 0x160, size: 32 },
  reportedTcb: { at: 0x180, size: 8 },
  /** Family, model, stepping. */
  cpuid: { at: 0x188, size: 3, since: 3 },
  chipId: { at: 0x1a0, size: 64 },
  committedTcb: { at: 0x1e0, size: 8 },
  /** Build, minor, major. */
  currentFirmware: { at: 0x1e8, size: 3 },
  committedFirmware: { at: 0x1ec, size: 3 },
  launchTcb: { at: 0x1f0, size: 8 },
  launchMitigations: { at: 0x1f8, size: 8, since: 5 },
  currentMitigations: { at: 0x200, size: 8, since: 5 },
  signatureR: { at: 0x2a0, size: 72 },
  signatureS: { at: 0x2e8, size: 72 },
} as const satisfies Record<string, Field>
/** The name of a field. */
export type FieldName = keyof typeof FIELDS

/**
 * Ranges that are zero in every version. The last is outside the signature: unchecked, it would make reports
 * malleable.
 */
export const RESERVED: readonly Field[] = [
  { at: 0x04c, size: 4 },
  { at: 0x18b, size: 21 },
  { at: 0x1eb, size: 1 },
  { at: 0x1ef, size: 1 },
  { at: 0x208, size: 152 },
  { at: 0x330, size: 368 },
]

/**
 * Bits of POLICY: what the guest's owner allowed and required at launch. Bits 7:0 and 15:8 are the minimum
 * ABI minor and major version.
 */
export const GUEST_POLICY_BITS = {
  smt: 16,
  migrateMa: 18,
  debug: 19,
  singleSocket: 20,
  cxl: 21,
  aes256Xts: 22,
  raplDisabled: 23,
  ciphertextHiding: 24,
  pageSwapDisabled: 25,
} as const
/** This bit of POLICY is reserved and must be one. */
export const POLICY_BIT_ONE = 17
/** Bits of POLICY from this one on are reserved and must be zero. */
export const POLICY_BITS = 26

/**
 * Bits of PLATFORM_INFO: the setup of the host. `aliasCheck` is the mitigation of BadRAM (CVE-2024-21944).
 */
export const PLATFORM_INFO_BITS = {
  smt: 0,
  tsme: 1,
  ecc: 2,
  raplDisabled: 3,
  ciphertextHiding: 4,
  aliasCheck: 5,
  iommuWriteSafe: 6,
  tio: 7,
} as const

/** Bits of SIGNER_INFO. SIGNING_KEY is a number in bits 4:2; the bits above it are zero. */
export const SIGNER_INFO = { authorKeyEnabled: 0, chipKeyMasked: 1, signingKey: 2 } as const
/** Values 0 and 1 of SIGNING_KEY; 2 to 6 are reserved. */
export const SIGNING_KEYS = ['vcek', 'vlek'] as const
/** The kind of key that signed a report: one of the chip (VCEK) or one of the cloud provider (VLEK). */
export type SigningKey = (typeof SIGNING_KEYS)[number]
/** The value of SIGNING_KEY in a report without a signature. */
export const UNSIGNED = 7

/** SIGNATURE_ALGO: ECDSA on P-384 with SHA-384, the only algorithm of the ABI. */
export const ECDSA_P384_SHA384 = 1
/** Order n of P-384's base point (SP 800-186 §3.2.1.4). */
export const P384_ORDER =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
/** r and s are little-endian in 72 bytes, of which P-384 fills 48. */
export const SCALAR_BYTES = 48

/** Limit of a certificate in DER. AMD's have 1.3 to 1.7 KiB. */
export const MAX_CERTIFICATE_BYTES = 4096
/** Limit of a revocation list in DER. AMD's have less than 1 KiB. */
export const MAX_CRL_BYTES = 1024 * 1024
