/**
 * The certificate table that a host gives beside a report (GHCB specification §4.1.8.1): entries of 24 bytes, GUID ‖ offset
 * u32le ‖ length u32le, ended by 24 zero bytes; offsets count from the start of the table. All of it is the host's word and
 * may be garbage: nothing here is a certificate until `verifyReport` says so.
 */
import { isZero } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { MAX_CERTIFICATE_BYTES } from './layout.ts'

/** What Linux's driver takes from a host at most (SEV_FW_BLOB_MAX_SIZE). */
export const MAX_TABLE_BYTES = 0x4000
const ENTRY_BYTES = 24
const GUID_BYTES = 16
const NULL_GUID = '00000000-0000-0000-0000-000000000000'
/** There are six kinds; a host may add some of its own. */
const MAX_ENTRIES = 16

/** `ask` is what certifies the leaf, be it ASK or ASVK: they share a GUID. The last row is go-sev-guest's own. */
const KINDS = {
  vcek: { guid: '63da758d-e664-4564-adc5-f4b93be8accd', maxBytes: MAX_CERTIFICATE_BYTES },
  vlek: { guid: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1', maxBytes: MAX_CERTIFICATE_BYTES },
  ask: { guid: '4ab7b379-bbac-4fe4-a02f-05aef327c782', maxBytes: MAX_CERTIFICATE_BYTES },
  ark: { guid: 'c0b406a4-a803-4952-9743-3fb6014cd0ae', maxBytes: MAX_CERTIFICATE_BYTES },
  crl: { guid: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea', maxBytes: MAX_TABLE_BYTES },
  platformInfo: { guid: 'ecae0c0f-9502-43b1-afa2-0ae2e0d565b6', maxBytes: 8 },
} as const
export type TableEntryKind = keyof typeof KINDS
export type CertificateTable = Readonly<Partial<Record<TableEntryKind, Uint8Array>>>

type Entry = { readonly guid: string; readonly at: number; readonly length: number }

/**
 * What the table holds, by kind; kinds that nobody has named here are held to the same rules and left out.
 *
 * Takes at most 16 KiB and keeps a copy of its own. Throws `certificate-table.malformed` for a table without an end, more
 * than 16 entries, an entry that is empty, too large for its kind, within the table itself or beyond the end, one kind
 * twice, and entries that overlap. Bytes between and after the entries mean nothing: the driver fills its pages with zeros.
 */
export function parseCertificateTable(received: Uint8Array): CertificateTable {
  if (received.byteLength > MAX_TABLE_BYTES)
    throw malformed(`it has ${received.byteLength} bytes, the limit is ${MAX_TABLE_BYTES}`)
  const bytes = Buffer.from(received)
  const entries = readEntries(bytes)
  assertApart(entries, bytes.byteLength)
  const table: Partial<Record<TableEntryKind, Buffer>> = {}
  const seen = new Set<string>()
  for (const { guid, at, length } of entries) {
    if (seen.has(guid)) throw malformed(`it holds two entries ${guid}`)
    seen.add(guid)
    const kind = kindOf(guid)
    if (kind === undefined) continue
    if (length > KINDS[kind].maxBytes)
      throw malformed(`its ${kind} has ${length} bytes, the limit is ${KINDS[kind].maxBytes}`)
    table[kind] = bytes.subarray(at, at + length)
  }
  return table
}

function readEntries(bytes: Buffer): readonly Entry[] {
  const entries: Entry[] = []
  for (let at = 0; entries.length <= MAX_ENTRIES; at += ENTRY_BYTES) {
    if (at + ENTRY_BYTES > bytes.byteLength) throw malformed('it has no end')
    const entry = bytes.subarray(at, at + ENTRY_BYTES)
    if (isZero(entry)) return entries
    entries.push({
      guid: guidOf(entry),
      at: entry.readUInt32LE(GUID_BYTES),
      length: entry.readUInt32LE(GUID_BYTES + 4),
    })
  }
  throw malformed(`it has more than ${MAX_ENTRIES} entries`)
}

/** Both are 32-bit numbers, whose sum a JavaScript number holds: nothing wraps. */
function assertApart(entries: readonly Entry[], size: number): void {
  let free = (entries.length + 1) * ENTRY_BYTES
  for (const { guid, at, length } of [...entries].sort((a, b) => a.at - b.at)) {
    // Readers differ on whether such an entry ends a table: it is none.
    if (guid === NULL_GUID) throw malformed('it holds an entry without a GUID')
    if (length === 0) throw malformed(`its entry ${guid} is empty`)
    if (at < free) throw malformed(`its entry ${guid} overlaps another, or the table`)
    free = at + length
    if (free > size) throw malformed(`its entry ${guid} ends at ${free} of ${size} bytes`)
  }
}

/** As written, in the byte order of RFC 4122. */
function guidOf(entry: Buffer): string {
  return entry.toString('hex', 0, GUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function kindOf(guid: string): TableEntryKind | undefined {
  // A key of KINDS, which has no others.
  for (const kind in KINDS) if (KINDS[kind as TableEntryKind].guid === guid) return kind as TableEntryKind
  return undefined
}

function malformed(what: string): CodedError {
  return new CodedError('certificate-table.malformed', `the host's certificate table: ${what}`)
}
