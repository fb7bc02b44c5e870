/**
 * The table of entries with GUIDs at the end of OVMF (edk2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm). It
 * is read backwards: the last entry, the footer, ends 32 bytes before the end of the file and has the size of
 * the whole table. An entry is its content, a 16-bit size that includes size and GUID, and the GUID.
 */
import { toHex } from '../../bytes.ts'
import { CodedError } from '../../errors/report.ts'
import { GUID_BYTES, guidBytes } from './guid.ts'

const FOOTER = guidBytes('96b582de-1fb2-45f7-baea-a366c55a082d')
const AFTER_TABLE_BYTES = 32
const ENTRY_HEADER_BYTES = GUID_BYTES + 2

/** The entries of a table. */
export type FooterTable = {
  /**
   * The content of the entry with this GUID; undefined if the table has none. Throws `firmware.malformed` if
   * it is not `bytes` long.
   */
  readonly entry: (guid: string, name: string, bytes: number) => Buffer | undefined
}

/** Parses the table at the end of `firmware`, which is at least one page. Throws `firmware.malformed`. */
export function parseFooterTable(firmware: Buffer): FooterTable {
  const end = firmware.byteLength - AFTER_TABLE_BYTES
  if (!firmware.subarray(end - GUID_BYTES, end).equals(FOOTER))
    throw malformed('has no table of GUIDs 32 bytes before its end')
  const size = firmware.readUInt16LE(end - ENTRY_HEADER_BYTES)
  if (size < ENTRY_HEADER_BYTES || size > end)
    throw malformed(`has a table of GUIDs with the impossible size ${size}`)
  const entries = parseEntries(firmware.subarray(end - size, end - ENTRY_HEADER_BYTES))
  return {
    entry: (guid, name, bytes) => {
      const content = entries.get(toHex(guidBytes(guid)))
      if (content !== undefined && content.byteLength !== bytes)
        throw malformed(`has an entry ${name} of ${content.byteLength} bytes, expected ${bytes}`)
      return content
    },
  }
}

function parseEntries(table: Buffer): ReadonlyMap<string, Buffer> {
  const entries = new Map<string, Buffer>()
  for (let end = table.byteLength; end > 0; ) {
    if (end < ENTRY_HEADER_BYTES) throw malformed(`has ${end} bytes before the entries of its table of GUIDs`)
    const size = table.readUInt16LE(end - ENTRY_HEADER_BYTES)
    if (size < ENTRY_HEADER_BYTES || size > end)
      throw malformed(`has an entry with the impossible size ${size} in its table of GUIDs`)
    const guid = toHex(table.subarray(end - GUID_BYTES, end))
    // Refused because readers differ in which of the two they use.
    if (entries.has(guid)) throw malformed('has two entries with the same GUID in its table of GUIDs')
    entries.set(guid, table.subarray(end - size, end - ENTRY_HEADER_BYTES))
    end -= size
  }
  return entries
}

/** A `firmware.malformed`. `predicate` follows the subject, the OVMF file. */
export function malformed(predicate: string): CodedError {
  return new CodedError('firmware.malformed', `the OVMF file ${predicate}`)
}
