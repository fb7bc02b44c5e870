/**
 * The launch digest, which the secure processor extends page by page (SEV-SNP firmware ABI,
 * SNP_LAUNCH_UPDATE, the structure PAGE_INFO). It starts as zeros. Its value at the start of the guest is the
 * MEASUREMENT of a report.
 */
import { hash } from 'node:crypto'

/** Length of a page. */
export const PAGE_BYTES = 4096
/** Length of a launch digest: SHA-384. */
export const LAUNCH_DIGEST_BYTES = 48
const PAGE_INFO_BYTES = 0x70

/** PAGE_TYPE. The contents of the last three are made at launch; only their kind and address are measured. */
const PAGE_TYPES = { normal: 1, vmsa: 2, zero: 3, secrets: 5, cpuid: 6 } as const
/** The kind of a page. */
export type PageKind = keyof typeof PAGE_TYPES

/** The launch digest before the first page. */
export const EMPTY_DIGEST: Buffer = Buffer.alloc(LAUNCH_DIGEST_BYTES)
/** The field CONTENTS of a page whose contents are not measured. */
const NO_CONTENTS = Buffer.alloc(LAUNCH_DIGEST_BYTES)

/**
 * The digest after one more page. `gpa` is the page's guest physical address, below 2^48. `contents` is the
 * SHA-384 of the page if its contents are measured.
 */
export function extendDigest(
  digest: Buffer,
  kind: PageKind,
  gpa: number,
  contents: Buffer = NO_CONTENTS,
): Buffer {
  // Zeros: IS_IMI, and the permissions of VMPL 1 to 3.
  const info = Buffer.alloc(PAGE_INFO_BYTES)
  digest.copy(info, 0)
  contents.copy(info, 48)
  info.writeUInt16LE(PAGE_INFO_BYTES, 96)
  info.writeUInt8(PAGE_TYPES[kind], 98)
  info.writeUIntLE(gpa, 104, 6)
  return hash('sha384', info, 'buffer')
}

/** SHA-384 of a page. */
export function hashPage(page: Uint8Array): Buffer {
  return hash('sha384', page, 'buffer')
}

/**
 * The digest after measured pages that follow each other from `gpa` on. `pages` is a whole number of pages.
 */
export function extendByPages(digest: Buffer, gpa: number, pages: Buffer): Buffer {
  let extended = digest
  for (let at = 0; at < pages.byteLength; at += PAGE_BYTES)
    extended = extendDigest(extended, 'normal', gpa + at, hashPage(pages.subarray(at, at + PAGE_BYTES)))
  return extended
}
