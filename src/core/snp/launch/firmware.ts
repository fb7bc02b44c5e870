/** OVMF as a launch sees it: its pages, where processors other than the first start, and the memory it asks for. */
import { EMPTY_DIGEST, extendByPages, PAGE_BYTES } from './digest.ts'
import { malformed, parseFooterTable } from './footerTable.ts'
import { parseSections, type Section } from './sections.ts'

const FOUR_GIB = 0x1_0000_0000
/** OVMF has 2 or 4 MiB; QEMU takes 8 unless told otherwise. */
export const MAX_FIRMWARE_BYTES = 16 * 1024 * 1024

/** Three hashes with their GUIDs and sizes, padded to a multiple of 16, as QEMU demands room for them. */
const HASH_TABLE_BYTES = 176

const ENTRIES = {
  resetBlock: '00f771de-1a7e-4fcb-890e-68c77e2fb44e',
  metadata: 'dc886566-984a-4798-a75e-5585a7bf67cc',
  hashTable: '7255371f-3a3b-4b04-927b-1da6efa8d454',
} as const

export type Firmware = {
  readonly bytes: Buffer
  /** It ends at 4 GiB. */
  readonly gpa: number
  /** Where all processors but the first start. */
  readonly apEntry: number
  /** Where it looks for the hashes of kernel, initrd and command line; undefined where it looks for none. */
  readonly hashTable: { readonly gpa: number } | undefined
  /** In the order of the launch. */
  readonly sections: readonly Section[]
}

/** Takes a whole file, or an end of it that holds table and metadata. Throws `firmware.malformed`. */
export function parseFirmware(bytes: Buffer): Firmware {
  const { byteLength } = bytes
  if (byteLength === 0 || byteLength % PAGE_BYTES !== 0 || byteLength > MAX_FIRMWARE_BYTES)
    throw malformed(
      `it has ${byteLength} bytes, not whole pages of ${PAGE_BYTES} up to ${MAX_FIRMWARE_BYTES}`,
    )
  const gpa = FOUR_GIB - byteLength
  const table = parseFooterTable(bytes)
  const resetBlock = table.entry(ENTRIES.resetBlock, 'SEV_ES_RESET_BLOCK', 4)
  const metadata = table.entry(ENTRIES.metadata, 'SEV_METADATA', 4)
  if (resetBlock === undefined) throw malformed('its table of GUIDs has no SEV_ES_RESET_BLOCK')
  if (metadata === undefined)
    throw malformed('its table of GUIDs has no SEV_METADATA: it is not made for SEV-SNP')
  const apEntry = resetBlock.readUInt32LE(0)
  if (apEntry === 0) throw malformed('its SEV_ES_RESET_BLOCK names address zero')
  const sections = parseSections(bytes, metadata.readUInt32LE(0), gpa)
  const hashTable = hashTableOf(table.entry(ENTRIES.hashTable, 'SEV_HASH_TABLE_RV', 8), sections)
  return { bytes, gpa, apEntry, hashTable, sections }
}

/** Builds that check no kernel have the entry, with zeros. */
function hashTableOf(entry: Buffer | undefined, sections: readonly Section[]): Firmware['hashTable'] {
  if (entry === undefined) return undefined
  const gpa = entry.readUInt32LE(0)
  const size = entry.readUInt32LE(4)
  if (gpa === 0) return undefined
  const section = sections.find(({ kind }) => kind === 'KERNEL_HASHES')
  if (section === undefined) return undefined
  // What stands elsewhere is not what was measured.
  if (gpa < section.gpa || gpa + size > section.gpa + PAGE_BYTES)
    throw malformed('its hash table does not lie in its section KERNEL_HASHES')
  if (size < HASH_TABLE_BYTES)
    throw malformed(`its hash table has ${size} bytes, not ${HASH_TABLE_BYTES} or more`)
  return { gpa }
}

/** The digest after the firmware's own pages, which is what `--ovmf-hash` stands for. */
export function measureFirmware({ bytes, gpa }: Firmware): Buffer {
  return extendByPages(EMPTY_DIGEST, gpa, bytes)
}
