/**
 * Verifies reports of real hosts beside other verifiers for Node, each called as its authors intend. They
 * check the whole chain on every call. @0xsequence/tee-verifier is not among them: it supports only Nitro.
 * Both sides count the processor time of all threads.
 */
import { verify, X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { SIGNED_BYTES } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { Absence, Benchmark, Row } from './benchmark.ts'
import { installPeers, loadPeer, PEER_VERSIONS, type PeerName } from './peerPackages.ts'
import { laterSpeedsOf } from './processorTime.ts'

const REPORTS = new URL('../../shared/fixtures/snp/', import.meta.url)
const PACE = { rounds: 30, warmUpRounds: 8, roundSeconds: 0.05 }

/** A report, the VCEK that signed it, and the root of its product. */
type Specimen = {
  readonly name: string
  readonly report: Buffer
  readonly vcek: Buffer
  readonly root: Pick<RootEntry, 'product' | 'ark' | 'ask'>
}
/** Refuses by throwing or rejecting. */
type Verifier = (specimen: Specimen) => unknown

/** The least effort and care that plain Node allows. No bar compares with it. */
const NAIVE = 'node:crypto only'

const PEERS: readonly { readonly name: string; readonly open: () => Promise<Verifier> }[] = [
  { name: titleOf('@tinfoilsh/verifier'), open: openTinfoil },
  { name: titleOf('@lit-protocol/sev-snp-utils-sdk'), open: openLit },
]

export const snpPeers: Benchmark = {
  name: 'snp-peers',
  what: 'verify reports of real hosts, compared with other verifiers for Node (installs them in the cache folder)',
  run: async () => {
    const noReports = existsSync(REPORTS) ? undefined : 'skipped: the folder of real reports is absent'
    if (noReports !== undefined) return PEERS.map(({ name }) => absence(name, noReports))
    const specimens = specimensIn(REPORTS)
    const rows: (Row | Absence)[] = [...(await compare(NAIVE, verifyNaively, specimens))]
    const notInstalled = await installPeers()
    for (const { name, open } of PEERS)
      if (notInstalled === undefined) rows.push(...(await compare(name, await open(), specimens)))
      else rows.push(absence(name, notInstalled))
    return rows
  },
}

async function compare(
  name: string,
  theirs: Verifier,
  specimens: readonly Specimen[],
): Promise<readonly (Row | Absence)[]> {
  const ours = ourVerifier(1024)
  const [taken, held] = [await acceptedBy(theirs, specimens), await acceptedBy(ours, specimens)]
  const all = countOf(specimens)
  console.error(`of ${all}: ${name} accepts ${countOf(taken)}; this verifier ${countOf(held)}`)
  const specimen = taken.find((candidate) => held.includes(candidate))
  if (specimen === undefined) return [absence(name, 'skipped: it accepts none of the real reports')]

  const forgetting = ourVerifier(0)
  const [anew, remembered, limit] = await laterSpeedsOf(
    [() => forgetting(specimen), () => ours(specimen), () => theirs(specimen)],
    PACE,
  )
  const bar = name === NAIVE ? {} : { bar: { atLeast: 1 } }
  const row = { unit: 'reports/s', against: `${name}, ${specimen.name}`, limit, ...bar }
  return [
    { ...row, what: 'whole chain verified anew', measured: anew },
    { ...row, what: 'chain remembered', measured: remembered },
  ]
}

function absence(against: string, absent: string): Absence {
  return { what: 'verify reports', against, absent }
}

/** The ASK comes with the evidence, so no part of the chain is known before. */
function ourVerifier(remember: number): Verifier {
  const roots = new TrustStore(
    AMD_ROOTS.map(({ product, ark, simulated }) => ({ product, ark, simulated })),
    { remember },
  )
  return ({ report, vcek, root: { ask = vcek } }) => {
    const at = toUnixSeconds(Math.floor(Date.now() / 1000))
    return verifyReport(parseReport(report), [vcek, ask], { roots, crls: [], at })
  }
}

/** Uses Node's X.509 and checks only signatures and dates. */
function verifyNaively({ report, vcek, root }: Specimen): void {
  const [leaf, ask, ark] = [vcek, root.ask ?? vcek, root.ark].map((der) => new X509Certificate(der))
  if (leaf === undefined || ask === undefined || ark === undefined)
    throw new Error('a certificate is missing')
  const isValid = [leaf, ask, ark].every(
    ({ validFromDate, validToDate }) => validFromDate <= new Date() && new Date() <= validToDate,
  )
  const isChain = leaf.verify(ask.publicKey) && ask.verify(ark.publicKey)
  const [r, s] = [report.subarray(0x2a0, 0x2d0), report.subarray(0x2e8, 0x318)]
  const signature = Buffer.concat([r.toReversed(), s.toReversed()])
  const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' } as const
  if (!isValid || !isChain || !verify('sha384', report.subarray(0, SIGNED_BYTES), key, signature))
    throw new Error('not signed')
}

/**
 * Takes a report as gzip in base64. Supports only the Genoa root, and expects the platform of its authors.
 */
async function openTinfoil(): Promise<Verifier> {
  const peer = (await loadPeer('@tinfoilsh/verifier')) as {
    verifyAttestation: (document: { format: string; body: string }, vcek: string) => Promise<unknown>
  }
  const format = 'https://tinfoil.sh/predicate/sev-snp-guest/v2'
  const documents = new Map<Specimen, readonly [{ format: string; body: string }, string]>()
  return (specimen) => {
    const known = documents.get(specimen)
    const [document, vcek] = known ?? [
      { format, body: gzipSync(specimen.report).toString('base64') },
      specimen.vcek.toString('base64'),
    ]
    documents.set(specimen, [document, vcek])
    return peer.verifyAttestation(document, vcek)
  }
}

/** Rust in WebAssembly. Supports only the Milan root. */
async function openLit(): Promise<Verifier> {
  const peer = (await loadPeer('@lit-protocol/sev-snp-utils-sdk')) as {
    initWasmSevSnpUtilsSdk: () => Promise<unknown>
    verify_attestation_report: (report: string, vcek: Uint8Array) => Promise<void>
  }
  await peer.initWasmSevSnpUtilsSdk()
  return ({ report, vcek }) => peer.verify_attestation_report(report.toString('base64'), vcek)
}

function titleOf(name: PeerName): string {
  return `${name} ${PEER_VERSIONS[name]}`
}

/** Genuine ones first. A folder named `neg-…` holds a forged one. */
function specimensIn(folder: URL): readonly Specimen[] {
  const names = readdirSync(folder).filter((name) =>
    ['report.bin', 'vcek.der'].every((file) => existsSync(new URL(`${name}/${file}`, folder))),
  )
  return names
    .sort((a, b) => Number(isForged(a)) - Number(isForged(b)) || (a < b ? -1 : 1))
    .flatMap((name) => {
      const vcek = readFileSync(new URL(`${name}/vcek.der`, folder))
      const { issuer } = new X509Certificate(vcek)
      const root = AMD_ROOTS.find(({ product }) => issuer.endsWith(`CN=SEV-${product}`))
      return root === undefined
        ? []
        : [{ name, vcek, root, report: readFileSync(new URL(`${name}/report.bin`, folder)) }]
    })
}

async function acceptedBy(check: Verifier, specimens: readonly Specimen[]): Promise<readonly Specimen[]> {
  const accepted: Specimen[] = []
  for (const specimen of specimens)
    try {
      await check(specimen)
      accepted.push(specimen)
    } catch {
      // Refused; the reason does not matter here.
    }
  return accepted
}

function countOf(specimens: readonly Specimen[]): string {
  const wrong = specimens.filter(({ name }) => isForged(name)).length
  return `${specimens.length - wrong} genuine and ${wrong} forged`
}

function isForged(name: string): boolean {
  return name.startsWith('neg-')
}
