/**
 * The launch digest as the secure processor extends it, page by page (SEV-SNP firmware ABI, SNP_LAUNCH_UPDATE, the
 * structure PAGE_INFO). It starts as zeros; the MEASUREMENT of a report is what it is when the guest starts.
 */
import { hash } from 'node:crypto'

export const PAGE_BYTES = 4096
export const LAUNCH_DIGEST_BYTES = 48
const PAGE_INFO_BYTES = 0x70

/** PAGE_TYPE. Of the last three only kind and place count: what they hold is made at launch. */
const PAGE_TYPES = { normal: 1, vmsa: 2, zero: 3, secrets: 5, cpuid: 6 } as const
export type PageKind = keyof typeof PAGE_TYPES

export const EMPTY_DIGEST: Buffer = Buffer.alloc(LAUNCH_DIGEST_BYTES)
/** What stands for the contents of a page whose contents are not measured. */
const NO_CONTENTS = Buffer.alloc(LAUNCH_DIGEST_BYTES)

/** `gpa` is a guest physical address below 2^48; `contents` the SHA-384 of the page, where its contents are measured. */
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

export function hashPage(page: Uint8Array): Buffer {
  return hash('sha384', page, 'buffer')
}

/** Whole pages, from `gpa` upwards. */
export function extendByPages(digest: Buffer, gpa: number, pages: Buffer): Buffer {
  let extended = digest
  for (let at = 0; at < pages.byteLength; at += PAGE_BYTES)
    extended = extendDigest(extended, 'normal', gpa + at, hashPage(pages.subarray(at, at + PAGE_BYTES)))
  return extended
}
