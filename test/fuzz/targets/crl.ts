/**
 * Revocation lists, each signed after the change by a root with a key of 1024 bits, which signs quickly. Some
 * are changed after the signature instead.
 */
import { constants, generateKeyPairSync, sign } from 'node:crypto'
import { toHex } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import { PublicKey } from '#core/snp/publicKey.ts'
import { openRoot } from '#core/snp/roots.ts'
import { edgeNumber, mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { certificateSeeds, crlBodies, signedBody } from '../seeds.ts'
import { type Target, Violation } from '../target.ts'
import { mutateTree, nested, type Tlv, type Tree, tlv, treeOf } from '../tlv.ts'

export const crl: Target = {
  name: 'crl',
  what: 'revocation lists, signed after the change or before it',
  weight: 2,
  quick: 8000,
  codes: ['crl.malformed', 'crl.untrusted'],
  open: async () => {
    const { publicKey, privateKey: key } = generateKeyPairSync('rsa-pss', PSS)
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
    const imported = PublicKey.fromPem(pem).imported()
    const roots = AMD_ROOTS.map((entry) => ({ ...openRoot(entry), publicKey: imported }))
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signed = (tbs: Buffer) => signedBody(tbs, sign('sha384', tbs, { key, padding, saltLength: 48 }))
    const bodies = crlBodies().map(({ tbs }) => treeOf(tbs))
    const whole = bodies.map(({ root }) => treeOf(signed(root.raw)))
    const trees = [...bodies, ...certificateSeeds().map(({ der }) => treeOf(der))]
    return {
      generate: (random) => {
        if (random.oneIn(4)) return [changedAfter(random.pick(whole), random, trees)]
        return [
          signed(random.oneIn(500) ? longBody(random.pick(bodies), random) : changed(random, bodies, trees)),
        ]
      },
      check: ([bytes = Buffer.alloc(0)]) => checkCrl(bytes, openCrl(bytes, roots)),
    }
  },
}

function changed(random: Random, bodies: readonly Tree[], trees: readonly Tree[]): Buffer {
  return mutateTree(random.pick(bodies), random, trees)
}

function changedAfter(tree: Tree, random: Random, trees: readonly Tree[]): Buffer {
  return random.oneIn(4) ? mutate(tree.root.raw, random) : mutateTree(tree, random, trees)
}

/** The parameters of an ARK's key. `saltLength` is a number, although the types of Node require text. */
const PSS = {
  modulusLength: 1024,
  hashAlgorithm: 'sha384',
  mgf1HashAlgorithm: 'sha384',
  saltLength: 48 as unknown as string,
}

/** Lists up to and beyond the limit of 1 MiB, with very many entries or with very deep nesting. */
function longBody({ root }: Tree, random: Random): Buffer {
  const bytes = random.pick([100_000, 1_000_000, 1_048_576, 1_100_000])
  const entries = random.oneIn(2) ? manyEntries(bytes, random) : nested(Buffer.alloc(0), bytes / 5)
  const [version, algorithm, issuer, from, to] = root.children.map(({ raw }) => raw)
  const head = [version, algorithm, issuer, from, to].filter((raw) => raw !== undefined)
  return tlv(0x30, ...head, entries, root.children.at(-1)?.raw ?? Buffer.alloc(0))
}

function manyEntries(bytes: number, random: Random): Buffer {
  const time = tlv(0x17, Buffer.from('250101000000Z'))
  const entry = tlv(0x30, tlv(0x02, Buffer.of(1), edgeNumber(7, random)), time)
  return tlv(0x30, ...Array.from({ length: Math.floor(bytes / entry.byteLength) }, () => entry))
}

/** Compares the list with the tree that the reader of this folder builds. */
function checkCrl(bytes: Buffer, list: Crl): void {
  const parts = treeOf(bytes).root.children[0]?.children ?? []
  const entries = parts[5]?.tag === 0x30 ? parts[5].children : []
  const serials = new Set(entries.map(({ children }) => serialOf(children[0])))
  if (serials.symmetricDifference(list.revoked).size > 0)
    throw new Violation('other serial numbers are read than are listed')
  if (parts[5]?.tag === 0x30 && entries.length === 0)
    throw new Violation('an empty list of entries is accepted')
  if (list.nextUpdate <= list.thisUpdate) throw new Violation('a list ends before it begins')
}

function serialOf(integer: Tlv | undefined): string {
  const bytes = integer?.content ?? Buffer.alloc(0)
  return toHex(bytes[0] === 0 && bytes.byteLength > 1 ? bytes.subarray(1) : bytes)
}
