/**
 * The table of GUIDed entries at the end of OVMF (edk2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm). It is read from
 * its end: the last entry, 32 bytes before the end of the file, is the footer, whose size is that of the whole table.
 * An entry is its content, a 16-bit size that counts size and GUID too, and the GUID.
 */
import { toHex } from '../../bytes.ts'
import { CodedError } from '../../errors/report.ts'
import { GUID_BYTES, guidBytes } from './guid.ts'

const FOOTER = guidBytes('96b582de-1fb2-45f7-baea-a366c55a082d')
const AFTER_TABLE_BYTES = 32
const ENTRY_HEADER_BYTES = GUID_BYTES + 2

export type FooterTable = {
  /**
   * The content of the entry, exactly `bytes` long; undefined where the table has none. Throws `firmware.malformed` for
   * another length.
   */
  readonly entry: (guid: string, name: string, bytes: number) => Buffer | undefined
}

/** Of a page or more. Throws `firmware.malformed`. */
export function parseFooterTable(firmware: Buffer): FooterTable {
  const end = firmware.byteLength - AFTER_TABLE_BYTES
  if (!firmware.subarray(end - GUID_BYTES, end).equals(FOOTER))
    throw malformed('there is no table of GUIDs 32 bytes before its end')
  const size = firmware.readUInt16LE(end - ENTRY_HEADER_BYTES)
  if (size < ENTRY_HEADER_BYTES || size > end)
    throw malformed(`its table of GUIDs says that it has ${size} bytes`)
  const entries = parseEntries(firmware.subarray(end - size, end - ENTRY_HEADER_BYTES))
  return {
    entry: (guid, name, bytes) => {
      const content = entries.get(toHex(guidBytes(guid)))
      if (content !== undefined && content.byteLength !== bytes)
        throw malformed(`its entry ${name} has ${content.byteLength} bytes, not ${bytes}`)
      return content
    },
  }
}

function parseEntries(table: Buffer): ReadonlyMap<string, Buffer> {
  const entries = new Map<string, Buffer>()
  for (let end = table.byteLength; end > 0; ) {
    if (end < ENTRY_HEADER_BYTES) throw malformed(`its table of GUIDs begins with ${end} bytes of no entry`)
    const size = table.readUInt16LE(end - ENTRY_HEADER_BYTES)
    if (size < ENTRY_HEADER_BYTES || size > end)
      throw malformed(`an entry of its table of GUIDs says that it has ${size} bytes`)
    const guid = toHex(table.subarray(end - GUID_BYTES, end))
    // Readers differ in which one they take.
    if (entries.has(guid)) throw malformed('its table of GUIDs has two entries of one GUID')
    entries.set(guid, table.subarray(end - size, end - ENTRY_HEADER_BYTES))
    end -= size
  }
  return entries
}

export function malformed(what: string): CodedError {
  return new CodedError('firmware.malformed', `OVMF: ${what}`)
}
