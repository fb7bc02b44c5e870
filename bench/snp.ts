/**
 * Verifies reports, compared with only the signature checks that each report needs: the same signatures, by
 * the same OpenSSL, with parsed keys. That is one ECDSA on P-384, plus RSA-4096 per unknown certificate below
 * the root. Both sides count processor time.
 */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkShape } from '#core/canonical.ts'
import { parseCertificate } from '#core/snp/certificate.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { type AmdAuthority, openAuthority } from '#lab/amd/authority.ts'
import { PlatformSchema } from '#lab/amd/platform.ts'
import { mintReport } from '#lab/amd/report.ts'
import type { Benchmark, Row } from './benchmark.ts'
import { speedsOf } from './processorTime.ts'

const PACE = { rounds: 80, warmUpRounds: 20, roundSeconds: 0.03 }
/**
 * A Verifier runs for weeks, so its code is fully compiled. The short rounds alone would not get it compiled.
 */
const WARM_UP_CALLS = 20_000
const PRODUCTS = ['Genoa', 'Turin'] as const

export const snp: Benchmark = {
  name: 'snp',
  what: 'verify attestation reports on one core, compared with their P-384 and RSA-4096 checks',
  run: async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cw-bench-snp-'))
    try {
      const authorities = await Promise.all(PRODUCTS.map((product) => openAuthority(stateDir, product)))
      return authorities.flatMap(compare)
    } finally {
      await rm(stateDir, { recursive: true })
    }
  },
}

function compare(amd: AmdAuthority): readonly Row[] {
  const { product, arkDer: ark, askDer: ask, arkKey, askKey } = amd
  const { bytes, key, vcekDer } = mint(amd)
  const root = { product, ark, simulated: true }
  const certs = [vcekDer, ask]
  const at = toUnixSeconds(amd.notBefore + 86_400)
  const verifyWith = (roots: TrustStore) => () =>
    verifyReport(parseReport(bytes), certs, { roots, crls: [], at })
  for (let call = 0; call < WARM_UP_CALLS; call += 1) {
    parseReport(bytes)
    for (const der of certs) parseCertificate(der)
  }
  const report = ecdsaCheck(bytes, key)
  const [leafCheck, askCheck] = [rsaCheck(vcekDer, askKey), rsaCheck(ask, arkKey)]

  const [remembered, leafAnew, chainAnew, p384, oneRsa, twoRsa] = speedsOf(
    [
      verifyWith(new TrustStore([root])),
      verifyWith(new TrustStore([{ ...root, ask }], { remember: 0 })),
      verifyWith(new TrustStore([root], { remember: 0 })),
      () => report(),
      () => report() && leafCheck(),
      () => report() && leafCheck() && askCheck(),
    ],
    PACE,
  )
  const row = { unit: 'reports/s' }
  return [
    {
      ...row,
      what: `${product}, chain remembered`,
      measured: remembered,
      against: 'P-384',
      limit: p384,
      bar: { atLeast: 0.9 },
    },
    {
      ...row,
      what: `${product}, new leaf under a known ASK`,
      measured: leafAnew,
      against: 'P-384 and RSA-4096',
      limit: oneRsa,
      bar: { atLeast: 0.85 },
    },
    {
      ...row,
      what: `${product}, whole chain verified anew`,
      measured: chainAnew,
      against: 'P-384 and 2 RSA-4096',
      limit: twoRsa,
      bar: { atLeast: 0.85 },
    },
  ]
}

function mint(amd: AmdAuthority): {
  readonly bytes: Buffer
  readonly key: KeyObject
  readonly vcekDer: Buffer
} {
  const { product, hardwareId } = amd
  const shape = { product, version: product === 'Turin' ? 5 : 3, measurement: '00'.repeat(48) }
  const described = checkShape(PlatformSchema, shape, 'platform', 'config.invalid')
  const { key, vcekDer } = amd.endorse(hardwareId, described.tcb.reported)
  const request = { reportData: Buffer.alloc(64, 1), vmpl: 0 }
  return { bytes: mintReport({ ...described, hardwareId }, request, Buffer.alloc(32), key), key, vcekDer }
}

function ecdsaCheck(bytes: Buffer, privateKey: KeyObject): () => boolean {
  const { signed, signature } = parseReport(bytes)
  const key = createPublicKey(privateKey)
  return () => assertTrue(verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature))
}

function rsaCheck(der: Buffer, issuerKey: KeyObject): () => boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  const { tbs, signature } = parseCertificate(der).signed
  const key = createPublicKey(issuerKey)
  return () => assertTrue(verify('sha384', tbs, { key, ...pss }, signature))
}

function assertTrue(value: boolean): true {
  if (!value) throw new Error('a signature of the benchmark does not verify')
  return value
}
