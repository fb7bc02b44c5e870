/**
 * Builds firmware files like OVMF's: pseudorandom bytes from a seed, with a real table and metadata at the
 * end.
 */
import { sha256, utf8 } from '#core/bytes.ts'
import { guidBytes } from '#core/snp/launch/guid.ts'

/** Type, GPA and size of a section of the SEV metadata. */
export type SectionRow = readonly [type: number, gpa: number, size: number]

export type FirmwareFile = {
  readonly seed: string
  readonly pages: number
  readonly apEntry: number
  /** Address and size; zeros in firmware that checks no kernel. */
  readonly hashTable: readonly [gpa: number, size: number]
  readonly sections: readonly SectionRow[]
}

/** The values of OvmfPkg/AmdSev. */
export const AMD_SEV: FirmwareFile = {
  seed: 'amd-sev',
  pages: 3,
  apEntry: 0x80b004,
  hashTable: [0x810c00, 0x400],
  sections: [
    [1, 0x800000, 0x9000],
    [1, 0x80a000, 0x3000],
    [2, 0x80d000, 0x1000],
    [3, 0x80e000, 0x1000],
    [4, 0x80f000, 0x1000],
    [0x10, 0x810000, 0x1000],
    [1, 0x811000, 0xf000],
  ],
}

export const GUIDS = {
  footer: '96b582de-1fb2-45f7-baea-a366c55a082d',
  metadata: 'dc886566-984a-4798-a75e-5585a7bf67cc',
  hashTable: '7255371f-3a3b-4b04-927b-1da6efa8d454',
  resetBlock: '00f771de-1a7e-4fcb-890e-68c77e2fb44e',
  secret: '4c2eb361-7d9b-4cc3-8081-127c90d3d294',
} as const

export type TableEntry = readonly [guid: string, content: Buffer]
const METADATA_FROM_END = 0x400

/**
 * `entries` changes the table before it is written. The last entry, the footer, is computed from the others.
 */
export function buildFirmware(
  file: FirmwareFile,
  entries: (standard: readonly TableEntry[]) => readonly TableEntry[] = (standard) => standard,
): Buffer {
  const bytes = seededBytes(file.seed, file.pages * 4096)
  const table = entries([
    [GUIDS.metadata, u32(METADATA_FROM_END)],
    [GUIDS.hashTable, u32(...file.hashTable)],
    [GUIDS.secret, u32(0x810000, 0xc00)],
    [GUIDS.resetBlock, u32(file.apEntry)],
  ]).map(([guid, content]) => Buffer.concat([content, u16(content.byteLength + 18), guidBytes(guid)]))
  const body = Buffer.concat(table)
  const end = Buffer.concat([
    body,
    u16(body.byteLength + 18),
    guidBytes(GUIDS.footer),
    Buffer.alloc(32, 0x90),
  ])
  end.copy(bytes, bytes.byteLength - end.byteLength)
  metadataOf(file.sections).copy(bytes, bytes.byteLength - METADATA_FROM_END)
  return bytes
}

function metadataOf(sections: readonly SectionRow[]): Buffer {
  return Buffer.concat([
    Buffer.from('ASEV'),
    u32(16 + sections.length * 12, 1, sections.length),
    ...sections.map(([type, gpa, size]) => u32(gpa, size, type)),
  ])
}

export function seededBytes(seed: string, size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, index) => sha256(utf8(`${seed} ${index}`)))
  return Buffer.concat(blocks).subarray(0, size)
}

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4)
  return bytes
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
