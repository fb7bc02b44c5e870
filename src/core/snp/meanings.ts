/**
 * Names and meanings of the fields and bits of a report, for display. docs/formats/report.md has the same
 * rows; a test compares them.
 */
import type { FieldName, GUEST_POLICY_BITS, PLATFORM_INFO_BITS, SIGNER_INFO } from './layout.ts'

/** AMD's name of a field or bit, and its meaning in a few words. */
export type Meaning = { readonly name: string; readonly meaning: string }

/** The meaning of each field. */
export const FIELD_MEANINGS: Readonly<Record<FieldName, Meaning>> = {
  version: { name: 'VERSION', meaning: 'form of this report' },
  guestSvn: { name: 'GUEST_SVN', meaning: "the guest owner's version number" },
  policy: { name: 'POLICY', meaning: 'terms of the guest owner at launch' },
  familyId: { name: 'FAMILY_ID', meaning: "the guest owner's name of the family" },
  imageId: { name: 'IMAGE_ID', meaning: "the guest owner's name of this guest" },
  vmpl: {
    name: 'VMPL',
    meaning: "the requester's privilege level, 0 highest",
  },
  signatureAlgorithm: { name: 'SIGNATURE_ALGO', meaning: '1: ECDSA on P-384 with SHA-384' },
  currentTcb: { name: 'CURRENT_TCB', meaning: 'firmware and microcode that run now' },
  platformInfo: { name: 'PLATFORM_INFO', meaning: 'setup of the host' },
  signerInfo: { name: 'SIGNER_INFO', meaning: 'kind of the signing key; author key' },
  reportData: { name: 'REPORT_DATA', meaning: "the guest's own bytes: a nonce, a digest" },
  measurement: { name: 'MEASUREMENT', meaning: 'launch digest: the guest as it was started' },
  hostData: { name: 'HOST_DATA', meaning: "the host's own bytes, not measured" },
  idKeyDigest: { name: 'ID_KEY_DIGEST', meaning: 'SHA-384 of the key that signed the ID block' },
  authorKeyDigest: { name: 'AUTHOR_KEY_DIGEST', meaning: 'SHA-384 of the key that signed the ID key' },
  reportId: { name: 'REPORT_ID', meaning: 'unique per guest and boot' },
  reportIdMa: {
    name: 'REPORT_ID_MA',
    meaning: "the migration agent's report id, or all ones",
  },
  reportedTcb: { name: 'REPORTED_TCB', meaning: 'TCB of the signing key' },
  cpuid: { name: 'CPUID', meaning: 'family, model and stepping of the processor' },
  chipId: { name: 'CHIP_ID', meaning: 'hardware id of the chip; zero if masked or with a VLEK' },
  committedTcb: { name: 'COMMITTED_TCB', meaning: 'TCB below which the host cannot roll back' },
  currentFirmware: { name: 'CURRENT firmware', meaning: 'SEV firmware that runs now' },
  committedFirmware: {
    name: 'COMMITTED firmware',
    meaning: 'SEV firmware below which the host cannot roll back',
  },
  launchTcb: { name: 'LAUNCH_TCB', meaning: 'TCB when the guest was launched or imported' },
  launchMitigations: { name: 'LAUNCH_MIT_VECTOR', meaning: 'mitigations in force at launch' },
  currentMitigations: { name: 'CURRENT_MIT_VECTOR', meaning: 'mitigations in force now' },
  signatureR: { name: 'SIGNATURE.R', meaning: 'r of the signature, little-endian' },
  signatureS: { name: 'SIGNATURE.S', meaning: 's of the signature, little-endian' },
}

/** The meaning of each reserved range. */
export const RESERVED_MEANING: Meaning = { name: 'reserved', meaning: 'zero' }

/** The meaning of each bit of POLICY if it is set. */
export const POLICY_MEANINGS: Readonly<Record<keyof typeof GUEST_POLICY_BITS, Meaning>> = {
  smt: { name: 'SMT', meaning: 'may run with simultaneous multithreading' },
  migrateMa: {
    name: 'MIGRATE_MA',
    meaning: 'a migration agent may read its memory',
  },
  debug: { name: 'DEBUG', meaning: 'the host may debug it and read its memory' },
  singleSocket: { name: 'SINGLE_SOCKET', meaning: 'must run on only one socket' },
  cxl: { name: 'CXL_ALLOW', meaning: 'may run with CXL devices or memory' },
  aes256Xts: { name: 'MEM_AES_256_XTS', meaning: 'memory must be encrypted with AES-256-XTS' },
  raplDisabled: { name: 'RAPL_DIS', meaning: 'power measurement (RAPL) must be off' },
  ciphertextHiding: {
    name: 'CIPHERTEXT_HIDING_DRAM',
    meaning: 'the host must not see ciphertext',
  },
  pageSwapDisabled: { name: 'PAGE_SWAP_DISABLE', meaning: 'the host must not move or swap its pages' },
}

/** The meaning of each bit of PLATFORM_INFO if it is set. */
export const PLATFORM_MEANINGS: Readonly<Record<keyof typeof PLATFORM_INFO_BITS, Meaning>> = {
  smt: { name: 'SMT_EN', meaning: 'simultaneous multithreading is on' },
  tsme: { name: 'TSME_EN', meaning: 'all memory is encrypted, also outside guests' },
  ecc: { name: 'ECC_EN', meaning: 'memory has error correction' },
  raplDisabled: { name: 'RAPL_DIS', meaning: 'power measurement (RAPL) is off' },
  ciphertextHiding: {
    name: 'CIPHERTEXT_HIDING_DRAM_EN',
    meaning: 'the host does not see ciphertext',
  },
  aliasCheck: {
    name: 'ALIAS_CHECK_COMPLETE',
    meaning: 'no two addresses reach one memory cell (BadRAM, CVE-2024-21944)',
  },
  iommuWriteSafe: {
    name: 'IOMMU_WRITE_SAFE',
    meaning: 'writes of the IOMMU do not go astray (CVE-2023-20585)',
  },
  tio: { name: 'TIO_EN', meaning: 'trusted I/O devices may be attached' },
}

/** The meaning of each bit of SIGNER_INFO if it is set. SIGNING_KEY is a number and has no row. */
export const SIGNER_MEANINGS: Readonly<Record<Exclude<keyof typeof SIGNER_INFO, 'signingKey'>, Meaning>> = {
  authorKeyEnabled: { name: 'AUTHOR_KEY_EN', meaning: 'AUTHOR_KEY_DIGEST is the digest of a key' },
  chipKeyMasked: { name: 'MASK_CHIP_KEY', meaning: "the firmware does not sign with the chip's own key" },
}
