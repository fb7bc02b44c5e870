/**
 * The parts of an OVMF file that matter at launch: its pages, the entry point of the vCPUs and the memory it
 * requests.
 */
import { EMPTY_DIGEST, extendByPages, PAGE_BYTES } from './digest.ts'
import { malformed, parseFooterTable } from './footerTable.ts'
import { parseSections, type Section } from './sections.ts'

const FOUR_GIB = 0x1_0000_0000
/** Limit of a file. OVMF has 2 or 4 MiB; QEMU accepts 8 MiB by default. */
export const MAX_FIRMWARE_BYTES = 16 * 1024 * 1024

/** The room that QEMU requires: three hashes with their GUIDs and sizes, padded to a multiple of 16. */
const HASH_TABLE_BYTES = 176

const ENTRIES = {
  resetBlock: '00f771de-1a7e-4fcb-890e-68c77e2fb44e',
  metadata: 'dc886566-984a-4798-a75e-5585a7bf67cc',
  hashTable: '7255371f-3a3b-4b04-927b-1da6efa8d454',
} as const

/** A parsed OVMF file. Addresses are guest physical. */
export type Firmware = {
  readonly bytes: Buffer
  /** Start address. The file is mapped so that it ends at 4 GiB. */
  readonly gpa: number
  /** Entry point of all vCPUs but the first. */
  readonly apEntry: number
  /**
   * Address of the hashes of kernel, initrd and command line; undefined if this firmware checks no kernel.
   */
  readonly hashTable: { readonly gpa: number } | undefined
  /** The requested memory, in the order of the launch. */
  readonly sections: readonly Section[]
}

/**
 * Parses a whole OVMF file, or its last part if that contains the table of GUIDs and the metadata. At most
 * `MAX_FIRMWARE_BYTES`, whole pages. Keeps a view of `bytes`.
 *
 * Throws `firmware.malformed`.
 */
export function parseFirmware(bytes: Buffer): Firmware {
  const { byteLength } = bytes
  if (byteLength === 0 || byteLength % PAGE_BYTES !== 0 || byteLength > MAX_FIRMWARE_BYTES)
    throw malformed(
      `has ${byteLength} bytes, expected whole pages of ${PAGE_BYTES}, at most ${MAX_FIRMWARE_BYTES} in all`,
    )
  const gpa = FOUR_GIB - byteLength
  const table = parseFooterTable(bytes)
  const resetBlock = table.entry(ENTRIES.resetBlock, 'SEV_ES_RESET_BLOCK', 4)
  const metadata = table.entry(ENTRIES.metadata, 'SEV_METADATA', 4)
  if (resetBlock === undefined) throw malformed('has no SEV_ES_RESET_BLOCK in its table of GUIDs')
  if (metadata === undefined)
    throw malformed('has no SEV_METADATA in its table of GUIDs: it is not built for SEV-SNP')
  const apEntry = resetBlock.readUInt32LE(0)
  if (apEntry === 0) throw malformed('has the address zero in its SEV_ES_RESET_BLOCK')
  const sections = parseSections(bytes, metadata.readUInt32LE(0), gpa)
  const hashTable = hashTableOf(table.entry(ENTRIES.hashTable, 'SEV_HASH_TABLE_RV', 8), sections)
  return { bytes, gpa, apEntry, hashTable, sections }
}

/** Firmware that checks no kernel has the entry too, with zeros. */
function hashTableOf(entry: Buffer | undefined, sections: readonly Section[]): Firmware['hashTable'] {
  if (entry === undefined) return undefined
  const gpa = entry.readUInt32LE(0)
  const size = entry.readUInt32LE(4)
  if (gpa === 0) return undefined
  const section = sections.find(({ kind }) => kind === 'KERNEL_HASHES')
  if (section === undefined) return undefined
  // Only that section is measured: hashes elsewhere would not be covered by the launch digest.
  if (gpa < section.gpa || gpa + size > section.gpa + PAGE_BYTES)
    throw malformed('has its hash table outside its section KERNEL_HASHES')
  if (size < HASH_TABLE_BYTES)
    throw malformed(`has a hash table of ${size} bytes, expected at least ${HASH_TABLE_BYTES}`)
  return { gpa }
}

/** The launch digest after the firmware's own pages: the value that `--ovmf-hash` takes. */
export function measureFirmware({ bytes, gpa }: Firmware): Buffer {
  return extendByPages(EMPTY_DIGEST, gpa, bytes)
}
