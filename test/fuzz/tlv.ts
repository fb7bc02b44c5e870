/**
 * Changes to DER along its structure. A valid encoding becomes a tree; a few of its nodes are rewritten, and
 * the lengths around them are updated, unless a wrong length is the change.
 */
import { edgeNumber, mutate } from './mutation.ts'
import type { Random } from './random.ts'

export type Tlv = {
  readonly tag: number
  readonly raw: Buffer
  readonly content: Buffer
  /** The values inside a constructed value or a string that contains DER; empty if there are none. */
  readonly children: readonly Tlv[]
  /** Bytes of content before the children: 1 for the count of unused bits of a BIT STRING, else 0. */
  readonly before: number
}

/** A tree, and the path from the root to each of its nodes. */
export type Tree = { readonly root: Tlv; readonly paths: readonly (readonly Tlv[])[] }

/** The tree of a valid encoding. */
export function treeOf(der: Buffer): Tree {
  const root = tlvAt(der, 0)
  if (root?.raw.byteLength !== der.byteLength) throw new RangeError('a seed is not one DER value')
  return { root, paths: [...pathsOf(root, [])] }
}

function* pathsOf(node: Tlv, above: readonly Tlv[]): Generator<readonly Tlv[]> {
  const path = [...above, node]
  yield path
  for (const child of node.children) yield* pathsOf(child, path)
}

function tlvAt(bytes: Buffer, at: number): Tlv | undefined {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined
  const octets = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || octets > 3 || at + 2 + octets > bytes.byteLength) return undefined
  const from = at + 2 + octets
  const end = from + (octets === 0 ? first : bytes.readUIntBE(at + 2, octets))
  if (end > bytes.byteLength) return undefined
  const content = bytes.subarray(from, end)
  const before = tag === 0x03 ? 1 : 0
  const mayHold = (tag & 0x20) !== 0 || tag === 0x04 || tag === 0x03
  const children = mayHold ? (allOf(content.subarray(before)) ?? []) : []
  return { tag, raw: bytes.subarray(at, end), content, children, before }
}

function allOf(content: Buffer): readonly Tlv[] | undefined {
  const all: Tlv[] = []
  for (let at = 0; at < content.byteLength; ) {
    const tlv = tlvAt(content, at)
    if (tlv === undefined) return undefined
    all.push(tlv)
    at += tlv.raw.byteLength
  }
  return all
}

type Rewrite = (node: Tlv, random: Random, trees: readonly Tree[]) => Buffer

/**
 * Rewrites one to three nodes. `trees` provides the nodes that are spliced in. With `tags`, only nodes with
 * these tags change, and only their values.
 */
export function mutateTree(
  tree: Tree,
  random: Random,
  trees: readonly Tree[],
  tags?: readonly number[],
): Buffer {
  const paths =
    tags === undefined ? tree.paths : tree.paths.filter((path) => tags.includes(path.at(-1)?.tag ?? 0))
  const rewrites = new Map<Tlv, Rewrite>()
  const touched = new Set<Tlv>()
  for (let left = random.few(3); left > 0; left -= 1) {
    const path = random.pick(paths)
    const node = path.at(-1)
    if (node === undefined) continue
    rewrites.set(node, random.pick(rewritesFor(random, tags)))
    for (const each of path) touched.add(each)
  }
  const write = (node: Tlv): Buffer => {
    const rewrite = rewrites.get(node)
    if (rewrite !== undefined) return rewrite(node, random, trees)
    if (!touched.has(node)) return node.raw
    return tlv(node.tag, node.content.subarray(0, node.before), ...node.children.map(write))
  }
  return write(tree.root)
}

function rewritesFor(random: Random, tags: readonly number[] | undefined): readonly Rewrite[] {
  if (tags !== undefined || random.oneIn(2)) return VALUES
  return random.oneIn(2) ? STRUCTURES : ENCODINGS
}

/** A value with its length in the shortest form. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.byteLength
  return Buffer.concat([Buffer.of(tag), shortestLength(length), ...parts])
}

function shortestLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  if (length < 0x100) return Buffer.of(0x81, length)
  if (length < 0x1_0000) return Buffer.of(0x82, length >> 8, length & 0xff)
  return Buffer.of(0x83, length >> 16, (length >> 8) & 0xff, length & 0xff)
}

/** Changes after which the value is DER, unless its type does not allow the new content. */
const VALUES: readonly Rewrite[] = [
  ({ tag, content }, random) => tlv(tag, contentFor(tag, content, random)),
  ({ tag, content }, random) => tlv(tag, contentFor(tag, content, random)),
  ({ tag, content }, random) => tlv(tag, content.byteLength > 0 ? mutate(content, random) : random.bytes(1)),
  ({ tag }) => tlv(tag),
]

const STRUCTURES: readonly Rewrite[] = [
  () => Buffer.alloc(0),
  ({ raw }) => Buffer.concat([raw, raw]),
  ({ raw }, random, trees) => Buffer.concat([raw, otherNode(random, trees).raw]),
  ({ raw }, random, trees) => Buffer.concat([otherNode(random, trees).raw, raw]),
  (_, random, trees) => otherNode(random, trees).raw,
  ({ raw }, random) => tlv(random.pick(WRAPPERS), raw),
  ({ content }) => content,
  ({ tag, content, before, children }, random) =>
    tlv(tag, content.subarray(0, before), ...reordered(children, random)),
  ({ tag, content, before, children }, random) =>
    tlv(tag, content.subarray(0, before), ...without(children, random)),
  ({ raw }, random) => nested(raw, random.few(random.oneIn(20) ? 1500 : 20)),
]

const WRAPPERS = [0x30, 0x31, 0x04, 0xa0, 0xa1, 0xa2, 0xa3, 0x24] as const

/** Encodings that other rules than DER read as the same value or as another one. */
const ENCODINGS: readonly Rewrite[] = [
  ({ raw }, random) => replaced(raw, 0, random.u32() & 0xff),
  ({ tag, raw }) => replaced(raw, 0, tag ^ 0x20),
  ({ tag, raw }, random) => replaced(raw, 0, tag ^ (random.pick([1, 2, 3]) << 6)),
  // Tag numbers in several octets.
  ({ tag, content }, random) =>
    withLength(Buffer.of(tag | 0x1f, ...random.pick(LONG_TAGS)), shortestLength(content.byteLength), content),
  // An indefinite length, with and without its end.
  ({ tag, content }) => withLength(Buffer.of(tag | 0x20), Buffer.of(0x80), content, Buffer.alloc(2)),
  ({ tag, content }) => withLength(Buffer.of(tag), Buffer.of(0x80), content),
  // Redundant octets of a length, up to the longest form, and the reserved form.
  ({ tag, content }, random) => withLength(Buffer.of(tag), spareLength(content, random), content),
  ({ tag, content }) => withLength(Buffer.of(tag), Buffer.of(0xff), content),
  // A length that does not match the content.
  ({ tag, content }, random) => {
    const length = Math.max(0, content.byteLength + random.few(3) * random.pick([-1, 1]))
    return withLength(Buffer.of(tag), shortestLength(length), content)
  },
  ({ tag, content }, random) => {
    const octets = random.few(9)
    return withLength(Buffer.of(tag), Buffer.of(0x80 | octets), edgeNumber(octets, random, true), content)
  },
  ({ raw }, random) => raw.subarray(0, random.below(raw.byteLength + 1)),
]

const LONG_TAGS: readonly (readonly number[])[] = [
  [0x02],
  [0x80, 0x02],
  [0x81, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff],
]

function withLength(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts)
}

function spareLength(content: Buffer, random: Random): Buffer {
  const octets = random.few(random.oneIn(4) ? 126 : 8)
  const length = Buffer.alloc(Math.max(octets, 4))
  length.writeUInt32BE(content.byteLength, length.byteLength - 4)
  return Buffer.concat([Buffer.of(0x80 | octets), length.subarray(length.byteLength - octets)])
}

function replaced(raw: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(raw)
  copy[at] = byte
  return copy
}

function otherNode(random: Random, trees: readonly Tree[]): Tlv {
  return random.pick(random.pick(random.pick(trees).paths))
}

function reordered(children: readonly Tlv[], random: Random): readonly Buffer[] {
  const raws = children.map(({ raw }) => raw)
  const [from, to] = [random.below(raws.length + 1), random.below(raws.length + 1)]
  return raws.toSpliced(to, 0, ...raws.splice(from, 1))
}

function without(children: readonly Tlv[], random: Random): readonly Buffer[] {
  return children.map(({ raw }) => raw).toSpliced(random.below(children.length + 1), 1)
}

/** Nested SEQUENCEs, which exhaust the stack of a recursive reader. */
export function nested(inner: Buffer, depth: number): Buffer {
  const heads: Buffer[] = []
  let length = inner.byteLength
  for (let level = 0; level < depth; level += 1) {
    const head = Buffer.concat([Buffer.of(0x30), shortestLength(length)])
    heads.push(head)
    length += head.byteLength
  }
  return Buffer.concat([...heads.reverse(), inner])
}

/** Contents at the limits of a universal type, and beyond them. */
const CONTENTS: Readonly<Record<number, (content: Buffer, random: Random) => Buffer>> = {
  1: (_, random) => random.pick([Buffer.of(0), Buffer.of(0xff), Buffer.of(1), Buffer.of(0xff, 0xff)]),
  2: integerContent,
  3: (content, random) => Buffer.concat([Buffer.of(random.below(10)), content.subarray(1)]),
  5: () => Buffer.of(0),
  6: oidContent,
  22: textContent,
  23: (content, random) => timeContent(content, random),
  24: (content, random) => timeContent(content, random),
}

function contentFor(tag: number, content: Buffer, random: Random): Buffer {
  const make = CONTENTS[tag]
  return make === undefined ? mutateOrKeep(content, random) : make(content, random)
}

function mutateOrKeep(content: Buffer, random: Random): Buffer {
  return content.byteLength > 0 ? mutate(content, random) : content
}

function integerContent(content: Buffer, random: Random): Buffer {
  switch (random.below(7)) {
    case 0:
      return Buffer.concat([Buffer.of(0), content])
    case 1:
      return Buffer.concat([Buffer.of(0xff), content])
    case 2:
      return random.bytes(random.few(random.oneIn(8) ? 4000 : 40))
    case 3:
      return Buffer.of(random.u32() & 0xff)
    case 4:
      return Buffer.of(0, 0x80 | random.below(128))
    case 5:
      return edgeNumber(random.few(8), random, true)
    default:
      return Buffer.alloc(0)
  }
}

function oidContent(content: Buffer, random: Random): Buffer {
  switch (random.below(6)) {
    case 0:
      return Buffer.concat([Buffer.of(0x80), content])
    case 1:
      return Buffer.concat([content, Buffer.of(0x80 | random.below(128))])
    case 2:
      return Buffer.concat([content, Buffer.alloc(random.few(40), 0xff), Buffer.of(0x7f)])
    case 3:
      return Buffer.alloc(0)
    default: {
      // Another OBJECT IDENTIFIER below the same arc.
      const copy = Buffer.from(content)
      if (copy.byteLength > 0) copy[copy.byteLength - 1] = random.below(16)
      return copy
    }
  }
}

function textContent(content: Buffer, random: Random): Buffer {
  return random.pick([
    Buffer.alloc(random.few(300), 0x41),
    Buffer.concat([content, Buffer.from('-B0')]),
    Buffer.from('Milan-'),
    Buffer.from('Genoa'),
    Buffer.from('Turin\0'),
    Buffer.from('\u00e9\ud83d\ude00'),
    random.bytes(random.few(16)),
  ])
}

const TIMES = [
  '991231235959Z',
  '491231235959Z',
  '500101000000Z',
  '230229000000Z',
  '240229000000Z',
  '241301000000Z',
  '240100000000Z',
  '240101240000Z',
  '240101006000Z',
  '240101000060Z',
  '2401010000Z',
  '240101000000',
  '240101000000+0000',
  '240101000000.5Z',
  '24-01-01T00:00:00Z',
  '2024-01-01T00:00:00Z',
  '00010101000000Z',
  '00000101000000Z',
  '99991231235959Z',
  '20491231235959Z',
  '20500101000000Z',
  '20240101000000.0Z',
  '-0010101000000Z',
  ' 40101000000Z',
] as const

function timeContent(content: Buffer, random: Random): Buffer {
  if (random.oneIn(2)) return Buffer.from(random.pick(TIMES))
  const copy = Buffer.from(content)
  if (copy.byteLength > 0) copy[random.below(copy.byteLength)] = 0x30 + random.below(11)
  return copy
}
