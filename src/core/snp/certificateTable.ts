/**
 * The certificate table that a host attaches to a report (GHCB specification §4.1.8.1). An entry has 24
 * bytes: GUID ‖ offset u32le ‖ length u32le. 24 zero bytes end the table; offsets count from its start.
 *
 * The host controls all of it, and it may be garbage. Nothing in it is a certificate until `verifyReport`
 * accepts it.
 */
import { isZero } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { MAX_CERTIFICATE_BYTES } from './layout.ts'

/** Limit of a table: the most that Linux's driver takes from a host (SEV_FW_BLOB_MAX_SIZE). */
export const MAX_TABLE_BYTES = 0x4000
const ENTRY_BYTES = 24
const GUID_BYTES = 16
const NULL_GUID = '00000000-0000-0000-0000-000000000000'
/** Limit of entries. There are six kinds, and a host may add others. */
const MAX_ENTRIES = 16

/**
 * The known kinds. `ask` is the ASK or the ASVK: they share a GUID. Only go-sev-guest defines `platformInfo`.
 */
const KINDS = {
  vcek: { guid: '63da758d-e664-4564-adc5-f4b93be8accd', maxBytes: MAX_CERTIFICATE_BYTES },
  vlek: { guid: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1', maxBytes: MAX_CERTIFICATE_BYTES },
  ask: { guid: '4ab7b379-bbac-4fe4-a02f-05aef327c782', maxBytes: MAX_CERTIFICATE_BYTES },
  ark: { guid: 'c0b406a4-a803-4952-9743-3fb6014cd0ae', maxBytes: MAX_CERTIFICATE_BYTES },
  crl: { guid: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea', maxBytes: MAX_TABLE_BYTES },
  platformInfo: { guid: 'ecae0c0f-9502-43b1-afa2-0ae2e0d565b6', maxBytes: 8 },
} as const
/** The kind of an entry. */
export type TableEntryKind = keyof typeof KINDS
/** The contents of the entries by kind. They are views of one copy of the table. */
export type CertificateTable = Readonly<Partial<Record<TableEntryKind, Uint8Array>>>

type Entry = { readonly guid: string; readonly at: number; readonly length: number }

/**
 * Parses a table of at most 16 KiB and keeps a copy of its own. Entries of unknown kinds obey the same rules
 * and are then omitted. Bytes between and after the entries have no meaning: the driver fills its pages with
 * zeros.
 *
 * Throws `certificate-table.malformed` for a table without an end, more than 16 entries, two entries of one
 * kind, or an entry that is empty, too large for its kind, beyond the end, or overlapping another entry or
 * the list of entries.
 */
export function parseCertificateTable(received: Uint8Array): CertificateTable {
  if (received.byteLength > MAX_TABLE_BYTES)
    throw malformed(`has ${received.byteLength} bytes, expected at most ${MAX_TABLE_BYTES}`)
  const bytes = Buffer.from(received)
  const entries = readEntries(bytes)
  assertApart(entries, bytes.byteLength)
  const table: Partial<Record<TableEntryKind, Buffer>> = {}
  const seen = new Set<string>()
  for (const { guid, at, length } of entries) {
    if (seen.has(guid)) throw malformed(`contains two entries with the GUID ${guid}`)
    seen.add(guid)
    const kind = kindOf(guid)
    if (kind === undefined) continue
    if (length > KINDS[kind].maxBytes)
      throw malformed(
        `contains an entry ${kind} of ${length} bytes, expected at most ${KINDS[kind].maxBytes}`,
      )
    table[kind] = bytes.subarray(at, at + length)
  }
  return table
}

function readEntries(bytes: Buffer): readonly Entry[] {
  const entries: Entry[] = []
  for (let at = 0; entries.length <= MAX_ENTRIES; at += ENTRY_BYTES) {
    if (at + ENTRY_BYTES > bytes.byteLength) throw malformed('has no entry of zeros at its end')
    const entry = bytes.subarray(at, at + ENTRY_BYTES)
    if (isZero(entry)) return entries
    entries.push({
      guid: guidOf(entry),
      at: entry.readUInt32LE(GUID_BYTES),
      length: entry.readUInt32LE(GUID_BYTES + 4),
    })
  }
  throw malformed(`has more than ${MAX_ENTRIES} entries`)
}

/** Offset and length are 32-bit numbers, and a JavaScript number holds their sum: nothing wraps. */
function assertApart(entries: readonly Entry[], size: number): void {
  let free = (entries.length + 1) * ENTRY_BYTES
  for (const { guid, at, length } of [...entries].sort((a, b) => a.at - b.at)) {
    // Refused because readers differ on whether such an entry ends the table.
    if (guid === NULL_GUID) throw malformed('contains an entry with the GUID zero')
    if (length === 0) throw malformed(`contains the empty entry ${guid}`)
    if (at < free)
      throw malformed(`contains the entry ${guid}, which overlaps another entry or the list of entries`)
    free = at + length
    if (free > size)
      throw malformed(`contains the entry ${guid}, which ends at ${free}, expected at most ${size}`)
  }
}

/** The GUID of an entry, whose bytes are in the order of RFC 4122. */
function guidOf(entry: Buffer): string {
  return entry.toString('hex', 0, GUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function kindOf(guid: string): TableEntryKind | undefined {
  // A key of KINDS, which has no others.
  for (const kind in KINDS) if (KINDS[kind as TableEntryKind].guid === guid) return kind as TableEntryKind
  return undefined
}

/** `predicate` follows the subject, the host's certificate table. */
function malformed(predicate: string): CodedError {
  return new CodedError('certificate-table.malformed', `the host's certificate table ${predicate}`)
}
