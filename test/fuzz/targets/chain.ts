/**
 * Lists of certificates as a host or a requester sends them: only certificates that an authority signed are
 * accepted.
 */
import { parseCertificate } from '#core/snp/certificate.ts'
import { reading } from '#core/snp/der.ts'
import { SIGNING_KEYS, type SigningKey } from '#core/snp/layout.ts'
import { toUnixSeconds } from '#core/time.ts'
import { amdScheme } from '#lab/amd/certificate.ts'
import { mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { openReportSources, type ReportSource, storeOf } from '../reportSources.ts'
import { type Input, type Target, Violation } from '../target.ts'
import { mutateTree, type Tree, tlv, treeOf } from '../tlv.ts'

export const chain: Target = {
  name: 'chain',
  what: 'certificate chains up to a root, some signed after the change',
  weight: 2,
  quick: 8000,
  codes: [
    'chain.missing',
    'chain.malformed',
    'chain.kind-mismatch',
    'chain.untrusted',
    'chain.product-mismatch',
    'chain.expired',
  ],
  open: async () => {
    const sources = await openReportSources()
    const stores = [true, false].map((holdsAuthorities) => storeOf(sources, { holdsAuthorities }))
    const genuine = new Set(sources.map(({ certs }) => certs[0]?.toString('hex')))
    const trees = sources.flatMap(({ certs }) => certs.map(treeOf))
    return {
      generate: (random) => makeChain(sources, trees, random),
      check: ([about = Buffer.from('{}'), ...certs]) => {
        const { kind, at, signed } = JSON.parse(about.toString()) as About
        for (const store of stores) {
          const endorsement = store.endorse(certs, kind, toUnixSeconds(at))
          if (!signed && !genuine.has(certs[0]?.toString('hex')))
            throw new Violation('a leaf without a valid signature is trusted')
          if (endorsement.kind !== kind) throw new Violation('another kind of key is endorsed')
          const leaf = reading('a leaf', 'chain.malformed', () =>
            parseCertificate(certs[0] ?? Buffer.alloc(0)),
          )
          if (at < leaf.notBefore || at > leaf.notAfter) throw new Violation('an expired leaf is trusted')
        }
      },
    }
  },
}

/** `signed` is true if the authority signed the leaf after the change. */
type About = { readonly kind: SigningKey; readonly at: number; readonly signed: boolean }

function makeChain(sources: readonly ReportSource[], trees: readonly Tree[], random: Random): Input {
  const source = random.pick(sources)
  const about: About = { kind: kindFor(source, random), at: timeFor(source, random), signed: false }
  const written = (certs: readonly Buffer[], signed = false) => [
    Buffer.from(JSON.stringify({ ...about, signed })),
    ...certs,
  ]
  const [leaf = Buffer.alloc(0), authority = Buffer.alloc(0)] = source.certs
  // An RSA-4096 signature takes milliseconds, so few leaves are signed.
  if (random.oneIn(24)) return written([resigned(leaf, source, trees, random), authority], true)
  const changed = (der: Buffer) =>
    random.oneIn(3) ? mutate(der, random) : mutateTree(treeOf(der), random, trees)
  switch (random.below(6)) {
    case 0:
      return written([changed(leaf), authority])
    case 1:
      return written([leaf, changed(authority)])
    case 2:
      return written(anyList(sources, random))
    case 3:
      return written([leaf, authority, changed(source.amd.arkDer)])
    case 4:
      return written([withOtherSignature(leaf, random), authority])
    default:
      return written([leaf, authority].slice(0, random.below(3)))
  }
}

function kindFor({ kind }: ReportSource, random: Random): SigningKey {
  return random.oneIn(16) ? random.pick(SIGNING_KEYS) : kind
}

function timeFor({ at, amd }: ReportSource, random: Random): number {
  return random.oneIn(8) ? random.pick([0, amd.notBefore - 1, amd.notBefore, 253_402_300_799]) : at
}

function anyList(sources: readonly ReportSource[], random: Random): readonly Buffer[] {
  const all = sources.flatMap(({ certs, amd }) => [...certs, amd.arkDer])
  return Array.from({ length: random.few(5) }, () =>
    random.oneIn(12) ? random.bytes(random.below(5000)) : random.pick(all),
  )
}

/** The body of a leaf with random bytes, zeros or the largest number as its signature. */
function withOtherSignature(leaf: Buffer, random: Random): Buffer {
  const [tbs, algorithm, signature] = treeOf(leaf).root.children
  const bytes = Buffer.from(signature?.content ?? [])
  bytes.set(random.pick([random.bytes(512), Buffer.alloc(512), Buffer.alloc(512, 0xff)]), 1)
  return tlv(0x30, tbs?.raw ?? bytes, algorithm?.raw ?? bytes, tlv(0x03, bytes))
}

function resigned(leaf: Buffer, { amd, kind }: ReportSource, trees: readonly Tree[], random: Random): Buffer {
  const [tbs, algorithm] = treeOf(leaf).root.children
  if (tbs === undefined || algorithm === undefined) return leaf
  // AMD's statements about the key are INTEGERs and IA5Strings.
  const changed = mutateTree(treeOf(tbs.raw), random, trees, random.oneIn(2) ? [0x02, 0x16] : undefined)
  const scheme = amdScheme(kind === 'vlek' ? amd.asvkKey : amd.askKey)
  return tlv(0x30, changed, algorithm.raw, tlv(0x03, Buffer.of(0), scheme.sign(changed)))
}
