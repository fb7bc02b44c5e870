/**
 * DER alone. An accepted value has no second encoding, so encoding it again gives the same bytes. node-forge,
 * which accepts more than DER, must read the same value.
 */
import forge from 'node-forge'
import { sameBytes } from '#core/bytes.ts'
import {
  bytesOf,
  type Der,
  explicitOf,
  isTrue,
  Malformed,
  oidOf,
  parseDer,
  reading,
  sequenceOf,
  setOf,
  TAG,
  unsignedOf,
} from '#core/snp/der.ts'
import { mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { certificateSeeds, crlBodies } from '../seeds.ts'
import { type Target, Violation } from '../target.ts'
import { mutateTree, nested, type Tree, tlv, treeOf } from '../tlv.ts'

export const der: Target = {
  name: 'der',
  what: 'DER: certificates and revocation lists as trees of values',
  weight: 18,
  quick: 60_000,
  codes: ['chain.malformed'],
  open: async () => {
    const seeds = [...certificateSeeds().map(({ der }) => der), ...crlBodies().map(({ tbs }) => tbs)]
    const trees = seeds.map(treeOf)
    return {
      generate: (random) => [makeDer(trees, random)],
      check: ([bytes = Buffer.alloc(0)]) => {
        const again = reading('a value', 'chain.malformed', () => written(parseDer(bytes)))
        if (!sameBytes(again, bytes)) throw new Violation('the value encodes to other bytes than were given')
        if (!sameBytes(writtenByForge(bytes), bytes)) throw new Violation('node-forge reads another value')
      },
    }
  },
}

const CONSTRUCTED = 0x20
const NUMBER = 0x1f
/**
 * node-forge reads these tag numbers of every class as universal: it decodes a BMPString and shortens an
 * INTEGER.
 */
const MISTAKEN_BY_FORGE = [0x1e, 0x02]

function makeDer(trees: readonly Tree[], random: Random): Buffer {
  // A part of a certificate is small, so changes are close to each other.
  const part = treeOf(random.pick(random.pick(trees).paths).at(-1)?.raw ?? Buffer.alloc(0))
  switch (random.below(20)) {
    case 0:
      return random.bytes(random.few(64))
    case 1:
      return nested(random.oneIn(2) ? part.root.raw : Buffer.alloc(0), random.few(1500))
    case 2:
    case 3:
      return mutate(part.root.raw, random)
    case 4:
      return part.root.raw
    default:
      return mutateTree(part, random, trees)
  }
}

/**
 * Encodes a value again: constructed values by their parts, numbers and names by their meaning, others as
 * received.
 */
function written(der: Der): Buffer {
  const { tag } = der
  switch (tag) {
    case TAG.sequence:
      return tlv(tag, ...sequenceOf(der).map(written))
    case TAG.set:
      return tlv(tag, ...setOf(der).map(written))
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3:
      return tlv(tag, written(explicitOf(der, tag - 0xa0)))
    case TAG.integer:
      return tlv(tag, signedNumber(unsignedOf(der, 20)))
    case TAG.oid:
      return tlv(tag, encodeOid(oidOf(der)))
    case TAG.boolean:
      return isTrue(der) ? tlv(tag, Buffer.of(0xff)) : bytesOf(der)
    default:
      if ((tag & CONSTRUCTED) !== 0 || MISTAKEN_BY_FORGE.includes(tag & NUMBER))
        throw new Malformed('has a constructed or context-specific tag that this target does not read')
      return tlv(tag, der.source.subarray(der.from, der.end))
  }
}

/** Depth limit for node-forge, above every depth that this target generates. */
const FORGE_DEPTH = 4000

function writtenByForge(bytes: Buffer): Buffer {
  // @types/node-forge knows only the strict flag.
  const options = { strict: true, decodeBitStrings: false, maxDepth: FORGE_DEPTH } as unknown as boolean
  try {
    const value = forge.asn1.fromDer(bytes.toString('latin1'), options)
    return Buffer.from(forge.asn1.toDer(value).getBytes(), 'latin1')
  } catch (error) {
    throw new Violation(`node-forge does not read it: ${error instanceof Error ? error.message : error}`)
  }
}

function signedNumber(bytes: Buffer): Buffer {
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function encodeOid(dotted: string): Buffer {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt)
  return Buffer.from([first * 40n + second, ...rest].flatMap(base128))
}

/** The digits of an arc, most significant first. All but the last have the top bit set. */
function base128(arc: bigint): readonly number[] {
  const digits = [Number(arc & 0x7fn)]
  for (let left = arc >> 7n; left > 0n; left >>= 7n) digits.unshift(Number(left & 0x7fn) | 0x80)
  return digits
}
