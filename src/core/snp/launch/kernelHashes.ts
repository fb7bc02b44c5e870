/**
 * The page of hashes with which QEMU (`kernel-hashes=on`) includes kernel, initrd and command line in the
 * launch digest. OVMF later hashes the files that the host gives it, and boots only if they match (QEMU,
 * target/i386/sev.c, SevHashTable).
 */
import { sha256, utf8 } from '../../bytes.ts'
import { CodedError } from '../../errors/report.ts'
import { PAGE_BYTES } from './digest.ts'
import type { Firmware } from './firmware.ts'
import { GUID_BYTES, guidBytes } from './guid.ts'

const HASH_BYTES = 32
const TABLE = guidBytes('9438d606-4f22-4cc9-b479-a793d411fd21')
/** In their order in the table. */
const ENTRIES = [
  ['append', guidBytes('97d02dd8-bd20-4c94-aa78-e7714d36ab2a')],
  ['initrd', guidBytes('44baf731-3a2f-4bd7-9af1-41e29169781d')],
  ['kernel', guidBytes('4de79437-abd2-427f-b835-d5b172d2045b')],
] as const
const ENTRY_BYTES = GUID_BYTES + 2 + HASH_BYTES
const TABLE_BYTES = GUID_BYTES + 2 + ENTRIES.length * ENTRY_BYTES
const NOTHING = Buffer.alloc(0)

/** The SHA-256 of each file; of the command line as `hashAppend` computes it. */
export type KernelHashes = { readonly kernel: Buffer; readonly initrd: Buffer; readonly append: Buffer }

/** The hash of an absent initrd: SHA-256 of no bytes. */
export const NO_INITRD: Buffer = sha256()

/**
 * The hash of a command line, which includes the zero byte at its end. Throws `launch.impossible` if the text
 * contains a zero byte.
 */
export function hashAppend(text: string): Buffer {
  if (text.includes('\0'))
    throw new CodedError('launch.impossible', 'the kernel command line contains a zero byte')
  return sha256(utf8(text), Buffer.alloc(1))
}

/** The page of hashes as QEMU writes it. Throws `launch.impossible` if the firmware checks no kernel. */
export function kernelHashesPage({ hashTable }: Firmware, hashes: KernelHashes): Buffer {
  if (hashTable === undefined)
    throw new CodedError(
      'launch.impossible',
      'a kernel is given, but this OVMF file has no room for its hash and would boot any kernel',
    )
  const page = Buffer.alloc(PAGE_BYTES)
  let at = hashTable.gpa % PAGE_BYTES
  const put = (guid: Buffer, size: number, content: Buffer = NOTHING) => {
    at += guid.copy(page, at)
    at = page.writeUInt16LE(size, at)
    at += content.copy(page, at)
  }
  put(TABLE, TABLE_BYTES)
  for (const [name, guid] of ENTRIES) put(guid, ENTRY_BYTES, hashes[name])
  return page
}
