/**
 * The SEV metadata of OVMF (edk2, OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm). It lists the memory that the
 * hypervisor adds to the firmware at launch: the addresses, the kind of page and the order.
 */
import { PAGE_BYTES, type PageKind } from './digest.ts'
import { malformed } from './footerTable.ts'

const SIGNATURE = 'ASEV'
const VERSION = 1
const HEADER_BYTES = 16
const DESCRIPTOR_BYTES = 12
/** Limit of sections. OVMF has seven. */
const MAX_SECTIONS = 64
/** Limit of pages, 64 MiB: it bounds the work that a hostile file can cause. OVMF has 132 KiB. */
const MAX_PAGES = 16_384

type SectionRow = {
  readonly kind: string
  /** The kind of the pages if no kernel is measured. */
  readonly page: PageKind
  /** True for a section that occurs once and has one page. */
  readonly single: boolean
}

const SECTION_TYPES = {
  1: { kind: 'SEC_MEM', page: 'zero', single: false },
  2: { kind: 'SECRETS', page: 'secrets', single: true },
  3: { kind: 'CPUID', page: 'cpuid', single: true },
  4: { kind: 'SVSM_CAA', page: 'zero', single: false },
  16: { kind: 'KERNEL_HASHES', page: 'zero', single: true },
} as const satisfies Readonly<Record<number, SectionRow>>

/** AMD's and edk2's names of the sections. */
export type SectionKind = (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES]['kind']
/** A range of memory: `pages` pages from the guest physical address `gpa` on. */
export type Section = {
  readonly kind: SectionKind
  readonly page: PageKind
  readonly gpa: number
  readonly pages: number
}

/**
 * Parses the metadata. It starts `offset` bytes before the end of `firmware`, which is mapped from `gpa` on.
 * Throws `firmware.malformed`.
 */
export function parseSections(firmware: Buffer, offset: number, gpa: number): readonly Section[] {
  const start = firmware.byteLength - offset
  if (start < 0 || offset < HEADER_BYTES)
    throw malformed(`has its SEV metadata at the impossible offset ${offset} before its end`)
  if (firmware.toString('latin1', start, start + 4) !== SIGNATURE)
    throw malformed(`has SEV metadata that does not begin with ${SIGNATURE}`)
  const size = firmware.readUInt32LE(start + 4)
  const version = firmware.readUInt32LE(start + 8)
  const count = firmware.readUInt32LE(start + 12)
  if (version !== VERSION) throw malformed(`has SEV metadata of version ${version}, expected ${VERSION}`)
  if (count === 0 || count > MAX_SECTIONS)
    throw malformed(`has SEV metadata with ${count} sections, expected 1 to ${MAX_SECTIONS}`)
  if (size !== HEADER_BYTES + count * DESCRIPTOR_BYTES || size > offset)
    throw malformed(`has SEV metadata with ${count} sections and the impossible size ${size}`)

  const sections: Section[] = []
  for (let index = 0; index < count; index += 1) {
    const at = start + HEADER_BYTES + index * DESCRIPTOR_BYTES
    sections.push(parseSection(firmware.subarray(at, at + DESCRIPTOR_BYTES), index, gpa))
  }
  assertTogether(sections)
  return sections
}

function parseSection(descriptor: Buffer, index: number, limit: number): Section {
  const gpa = descriptor.readUInt32LE(0)
  const size = descriptor.readUInt32LE(4)
  const type = descriptor.readUInt32LE(8)
  const row = rowOf(type)
  const what = `has SEV metadata whose section ${index}`
  if (row === undefined) throw malformed(`${what} has the unknown type 0x${type.toString(16)}`)
  if (gpa % PAGE_BYTES !== 0 || size % PAGE_BYTES !== 0 || size === 0)
    throw malformed(`${what} (${row.kind}) is not a number of whole pages`)
  if (row.single && size !== PAGE_BYTES)
    throw malformed(`${what} (${row.kind}) has ${size} bytes, expected one page`)
  if (gpa + size > limit) throw malformed(`${what} (${row.kind}) overlaps the firmware or lies above it`)
  return { kind: row.kind, page: row.page, gpa, pages: size / PAGE_BYTES }
}

function rowOf(type: number): (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES] | undefined {
  // Object.hasOwn has proven that the number is a key.
  return Object.hasOwn(SECTION_TYPES, type) ? SECTION_TYPES[type as keyof typeof SECTION_TYPES] : undefined
}

/**
 * Refuses sections that overlap, repeat or are too large. The processor accepts a page once, so such a guest
 * cannot start.
 */
function assertTogether(sections: readonly Section[]): void {
  const pages = sections.reduce((sum, section) => sum + section.pages, 0)
  if (pages > MAX_PAGES)
    throw malformed(`has SEV metadata with ${pages} pages, expected at most ${MAX_PAGES}`)
  for (const { kind, single } of Object.values(SECTION_TYPES))
    if (single && sections.filter((section) => section.kind === kind).length > 1)
      throw malformed(`has SEV metadata with more than one section ${kind}`)
  const ascending = sections.toSorted((a, b) => a.gpa - b.gpa)
  for (const [index, { gpa, pages }] of ascending.entries()) {
    const next = ascending[index + 1]
    if (next !== undefined && next.gpa < gpa + pages * PAGE_BYTES)
      throw malformed(`has SEV metadata with the page at 0x${next.gpa.toString(16)} in two sections`)
  }
}
