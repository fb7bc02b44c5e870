/**
 * The certificate table of a host: accepted entries are inside the table, do not overlap and have their own
 * contents.
 */
import { parseCertificateTable, type TableEntryKind } from '#core/snp/certificateTable.ts'
import { encodeTable, GUIDS, tableEntry } from '../../certificateTable.ts'
import { edgeNumber, mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { type Target, Violation } from '../target.ts'

export const certificateTable: Target = {
  name: 'table',
  what: "a host's certificate table",
  weight: 23,
  quick: 80_000,
  codes: ['certificate-table.malformed'],
  open: async () => ({
    generate: (random) => [makeTable(random)],
    check: ([bytes = Buffer.alloc(0)]) => checkTable(bytes),
  }),
}

const ENTRY_BYTES = 24
const FOREIGN = '01020304-0506-0708-090a-0b0c0d0e0f10'
const NULL = '00000000-0000-0000-0000-000000000000'

type Entry = { guid: string; at: number; length: number }

function makeTable(random: Random): Buffer {
  const contents = Array.from({ length: random.below(random.oneIn(16) ? 40 : 8) }, (_, index) => {
    const guid = random.oneIn(12) ? foreignGuid(index) : random.pick(Object.values(GUIDS))
    return [guid, Buffer.alloc(sizeOf(guid, random), index + 1)] as const
  })
  const distinct = random.oneIn(8) ? contents : [...new Map(contents)]
  switch (random.below(6)) {
    case 0:
      return encodeTable(distinct)
    case 1:
      return mutate(encodeTable(distinct), random)
    case 2:
      return Buffer.concat([encodeTable(distinct), Buffer.alloc(random.below(0x5000))])
    default:
      return mutateEntries(distinct, random)
  }
}

function sizeOf(guid: string, random: Random): number {
  if (guid === GUIDS.platformInfo) return random.oneIn(4) ? random.below(20) : 8
  return random.oneIn(10) ? random.below(5000) : random.below(300)
}

/** Entries whose offsets, lengths or GUIDs no longer match their contents. */
function mutateEntries(contents: readonly (readonly [string, Buffer])[], random: Random): Buffer {
  const body = Buffer.concat(contents.map(([, bytes]) => bytes))
  const head = (contents.length + 1) * ENTRY_BYTES
  let at = head
  const entries = contents.map(([guid, { byteLength }]): Entry => {
    at += byteLength
    return { guid, at: at - byteLength, length: byteLength }
  })
  for (let left = random.few(3); left > 0; left -= 1) {
    const entry = entries[random.below(entries.length)]
    if (entry !== undefined) random.pick(ENTRY_CHANGES)(entry, random, { entries, size: at })
  }
  const written = entries.map(({ guid, at, length }) => tableEntry(guid, at >>> 0, length >>> 0))
  const end = random.oneIn(8) ? random.bytes(random.below(25)) : Buffer.alloc(ENTRY_BYTES)
  return Buffer.concat([...written, end, body])
}

const ENTRY_CHANGES: readonly ((
  entry: Entry,
  random: Random,
  table: { readonly entries: readonly Entry[]; readonly size: number },
) => void)[] = [
  (entry, random) => {
    entry.at = edgeNumber(4, random, false).readUInt32LE()
  },
  (entry, random) => {
    entry.length = edgeNumber(4, random, false).readUInt32LE()
  },
  // Offset and length whose sum wraps to a small number in 32 bits.
  (entry, random) => {
    entry.at = 0x1_0000_0000 - random.few(64)
    entry.length = random.few(2000)
  },
  (entry, random) => {
    entry.length = 0x1_0000_0000 - entry.at + random.few(64)
  },
  (entry, random) => {
    entry.at += random.few(4) * random.pick([-1, 1])
  },
  (entry, random) => {
    entry.length += random.few(4) * random.pick([-1, 1])
  },
  // Up to the last byte, one byte less and one byte more.
  (entry, random, { size }) => {
    entry.length = size - entry.at + random.below(3) - 1
  },
  // Inside the table itself.
  (entry, random, { entries }) => {
    entry.at = random.below((entries.length + 1) * ENTRY_BYTES)
  },
  (entry, random, { entries }) => {
    entry.at = random.pick(entries).at
  },
  (entry, random, { entries }) => {
    entry.guid = random.pick(entries).guid
  },
  (entry, random) => {
    entry.guid = random.pick([NULL, FOREIGN, GUIDS.vcek.replace('63', '64')])
  },
  (entry) => {
    Object.assign(entry, { guid: NULL, at: 0, length: 0 })
  },
  (entry) => {
    entry.length = 0
  },
]

function foreignGuid(index: number): string {
  return FOREIGN.replace('01', String(10 + index))
}

/** Reads the table again with an independent reader. */
function checkTable(bytes: Buffer): void {
  const given = Buffer.from(bytes)
  const table = parseCertificateTable(given)
  // The parsed table must not share memory with its input.
  given.fill(0xee)
  const entries = entriesOf(bytes)
  const taken = new Uint8Array(bytes.byteLength)
  taken.fill(1, 0, (entries.length + 1) * ENTRY_BYTES)
  for (const { guid, at, length } of entries) {
    if (BigInt(at) + BigInt(length) > BigInt(bytes.byteLength))
      throw new Violation(`${guid} ends beyond the table`)
    if (taken.subarray(at, at + length).includes(1)) throw new Violation(`${guid} overlaps`)
    taken.fill(1, at, at + length)
    const kind = kindOf(guid)
    const content = Buffer.from(bytes.subarray(at, at + length))
    if (kind !== undefined && (table[kind] === undefined || !content.equals(table[kind])))
      throw new Violation(`${kind} is not what its entry says`)
  }
  const known = entries.filter(({ guid }) => kindOf(guid) !== undefined)
  if (Object.keys(table).length !== known.length) throw new Violation('another number of entries was read')
}

function entriesOf(bytes: Buffer): readonly Entry[] {
  const entries: Entry[] = []
  for (let from = 0; ; from += ENTRY_BYTES) {
    const entry = bytes.subarray(from, from + ENTRY_BYTES)
    if (entry.byteLength < ENTRY_BYTES) throw new Violation('a table without an end was accepted')
    if (entry.every((byte) => byte === 0)) return entries
    const guid = entry.toString('hex', 0, 16)
    entries.push({ guid, at: entry.readUInt32LE(16), length: entry.readUInt32LE(20) })
  }
}

function kindOf(guid: string): TableEntryKind | undefined {
  const row = Object.entries(GUIDS).find(([, written]) => written.replaceAll('-', '') === guid)
  // A key of GUIDS, whose keys are the kinds.
  return row?.[0] as TableEntryKind | undefined
}
