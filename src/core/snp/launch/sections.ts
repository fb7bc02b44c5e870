/**
 * SEV metadata of OVMF (edk2, OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm): which memory beside the firmware itself the
 * hypervisor gives the guest at launch, as what kind of page, and in which order.
 */
import { PAGE_BYTES, type PageKind } from './digest.ts'
import { malformed } from './footerTable.ts'

const SIGNATURE = 'ASEV'
const VERSION = 1
const HEADER_BYTES = 16
const DESCRIPTOR_BYTES = 12
/** OVMF has seven. */
const MAX_SECTIONS = 64
/** 64 MiB; OVMF has 132 KiB. What a hostile file may make us hash. */
const MAX_PAGES = 16_384

type SectionRow = {
  readonly kind: string
  /** What the pages are when no kernel is measured. */
  readonly page: PageKind
  /** One page, and once: what a guest has one of. */
  readonly single: boolean
}

const SECTION_TYPES = {
  1: { kind: 'SEC_MEM', page: 'zero', single: false },
  2: { kind: 'SECRETS', page: 'secrets', single: true },
  3: { kind: 'CPUID', page: 'cpuid', single: true },
  4: { kind: 'SVSM_CAA', page: 'zero', single: false },
  16: { kind: 'KERNEL_HASHES', page: 'zero', single: true },
} as const satisfies Readonly<Record<number, SectionRow>>

export type SectionKind = (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES]['kind']
export type Section = {
  readonly kind: SectionKind
  readonly page: PageKind
  readonly gpa: number
  readonly pages: number
}

/** `offset` counts from the end of the firmware, which is mapped from `gpa` on. Throws `firmware.malformed`. */
export function parseSections(firmware: Buffer, offset: number, gpa: number): readonly Section[] {
  const start = firmware.byteLength - offset
  if (start < 0 || offset < HEADER_BYTES)
    throw malformed(`its SEV metadata stands ${offset} bytes before its end`)
  if (firmware.toString('latin1', start, start + 4) !== SIGNATURE)
    throw malformed(`its SEV metadata does not begin with ${SIGNATURE}`)
  const size = firmware.readUInt32LE(start + 4)
  const version = firmware.readUInt32LE(start + 8)
  const count = firmware.readUInt32LE(start + 12)
  if (version !== VERSION) throw malformed(`its SEV metadata has version ${version}, not ${VERSION}`)
  if (count === 0 || count > MAX_SECTIONS)
    throw malformed(`its SEV metadata has ${count} sections, not 1 to ${MAX_SECTIONS}`)
  if (size !== HEADER_BYTES + count * DESCRIPTOR_BYTES || size > offset)
    throw malformed(`its SEV metadata of ${count} sections says that it has ${size} bytes`)

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
  const what = `section ${index} of its SEV metadata`
  if (row === undefined) throw malformed(`${what} has the unknown type 0x${type.toString(16)}`)
  if (gpa % PAGE_BYTES !== 0 || size % PAGE_BYTES !== 0 || size === 0)
    throw malformed(`${what} (${row.kind}) is not of whole pages`)
  if (row.single && size !== PAGE_BYTES)
    throw malformed(`${what} (${row.kind}) has ${size} bytes, not one page`)
  if (gpa + size > limit) throw malformed(`${what} (${row.kind}) reaches into the firmware or above it`)
  return { kind: row.kind, page: row.page, gpa, pages: size / PAGE_BYTES }
}

function rowOf(type: number): (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES] | undefined {
  // A number is a key of the table if the table says so.
  return Object.hasOwn(SECTION_TYPES, type) ? SECTION_TYPES[type as keyof typeof SECTION_TYPES] : undefined
}

/** The processor takes a page once only; a file that lists one twice starts no guest. */
function assertTogether(sections: readonly Section[]): void {
  const pages = sections.reduce((sum, section) => sum + section.pages, 0)
  if (pages > MAX_PAGES) throw malformed(`its SEV metadata lists ${pages} pages, the limit is ${MAX_PAGES}`)
  for (const { kind, single } of Object.values(SECTION_TYPES))
    if (single && sections.filter((section) => section.kind === kind).length > 1)
      throw malformed(`its SEV metadata has more than one section ${kind}`)
  const ascending = sections.toSorted((a, b) => a.gpa - b.gpa)
  for (const [index, { gpa, pages }] of ascending.entries()) {
    const next = ascending[index + 1]
    if (next !== undefined && next.gpa < gpa + pages * PAGE_BYTES)
      throw malformed(`two sections of its SEV metadata hold the page at 0x${next.gpa.toString(16)}`)
  }
}
