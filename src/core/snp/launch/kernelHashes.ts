/**
 * The page with which QEMU (`kernel-hashes=on`) puts kernel, initrd and command line under the launch digest: OVMF
 * hashes what it is given later and boots it only if it is this (QEMU, target/i386/sev.c, SevHashTable).
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

/** SHA-256 each. */
export type KernelHashes = { readonly kernel: Buffer; readonly initrd: Buffer; readonly append: Buffer }

/** Stands where there is no initrd. */
export const NO_INITRD: Buffer = sha256()

/** Of the command line as C has it, with the zero byte at its end. Throws `launch.impossible` for a zero byte within. */
export function hashAppend(text: string): Buffer {
  if (text.includes('\0')) throw new CodedError('launch.impossible', 'the command line has a zero byte in it')
  return sha256(utf8(text), Buffer.alloc(1))
}

/** Throws `launch.impossible` where the firmware checks no kernel. */
export function kernelHashesPage({ hashTable }: Firmware, hashes: KernelHashes): Buffer {
  if (hashTable === undefined)
    throw new CodedError(
      'launch.impossible',
      'a kernel is given, but this OVMF has no place for its hash: it would boot any kernel',
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
