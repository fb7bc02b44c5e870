/**
 * Verifying reports, against the signature checks alone that each needs, by the same OpenSSL with the keys at hand: one ECDSA
 * on P-384, and for a chain that is not remembered two of RSA-4096 as well. Both sides count processor time.
 */
import { constants, createPublicKey, type KeyObject, sign, verify, X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkShape } from '#core/canonical.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { SIGNED_BYTES } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { type AmdAuthority, openAuthority } from '#emulator/amd/authority.ts'
import { PlatformSchema } from '#emulator/amd/platform.ts'
import { mintReport } from '#emulator/amd/report.ts'
import type { Benchmark, Row } from './benchmark.ts'

const ROUNDS = 25
/** Rounds before the measured ones: a Verifier runs for weeks, so the code is compiled. */
const WARM_UP_ROUNDS = 10
const ROUND_SECONDS = 0.1

export const snp: Benchmark = {
  name: 'snp',
  what: 'verify attestation reports on one core, against the P-384 and RSA-4096 checks that they need',
  run: async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cw-bench-snp-'))
    try {
      return compare(await openAuthority(stateDir, 'Genoa'))
    } finally {
      await rm(stateDir, { recursive: true })
    }
  },
}

function compare(amd: AmdAuthority): readonly Row[] {
  const { arkDer, askDer, arkKey, askKey, hardwareId } = amd
  const described = checkShape(PlatformSchema, { measurement: '00'.repeat(48) }, 'platform', 'config.invalid')
  const { key, vcekDer } = amd.endorse(hardwareId, described.tcb.reported)
  const request = { reportData: Buffer.alloc(64, 1), vmpl: 0 }
  const bytes = mintReport({ ...described, hardwareId }, request, Buffer.alloc(32), key)
  const at = toUnixSeconds(amd.notBefore + 86_400)

  const root = { product: 'Genoa', ark: arkDer, simulated: true } as const
  const remembering = new TrustStore([root])
  const forgetting = new TrustStore([root], { remember: 0 })
  const certs = [vcekDer, askDer]
  const ecdsa = ecdsaCheck(bytes.subarray(0, SIGNED_BYTES), key)
  const [ask, vcek] = [rsaCheck(askDer, arkKey), rsaCheck(vcekDer, askKey)]

  const [cached, full, p384, checks] = speedsOf([
    () => verifyReport(parseReport(bytes), certs, { roots: remembering, crls: [], at }),
    () => verifyReport(parseReport(bytes), certs, { roots: forgetting, crls: [], at }),
    () => ecdsa(),
    () => ecdsa() && ask() && vcek(),
  ])
  const row = { unit: 'reports/s' }
  return [
    {
      ...row,
      what: 'chain remembered',
      measured: cached,
      against: 'P-384',
      limit: p384,
      bar: { atLeast: 0.9 },
    },
    { ...row, what: 'chain verified anew', measured: full, against: 'P-384 and 2 RSA-4096', limit: checks },
  ]
}

function ecdsaCheck(message: Buffer, privateKey: KeyObject): () => boolean {
  const signature = sign('sha384', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const key = createPublicKey(privateKey)
  return () => assertTrue(verify('sha384', message, { key, dsaEncoding: 'ieee-p1363' }, signature))
}

/** Over as many bytes as the certificate has. */
function rsaCheck(der: Buffer, privateKey: KeyObject): () => boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  const message = new X509Certificate(der).raw
  const signature = sign('sha384', message, { key: privateKey, ...pss })
  const key = createPublicKey(privateKey)
  return () => assertTrue(verify('sha384', message, { key, ...pss }, signature))
}

function assertTrue(value: boolean): true {
  if (!value) throw new Error('a signature of the benchmark does not verify')
  return value
}

/** Calls for a second of processor time: the median of many short rounds, in turns, so that what else runs meets all alike. */
function speedsOf<const Calls extends readonly (() => unknown)[]>(
  calls: Calls,
): { [Index in keyof Calls]: number } {
  const speeds = calls.map((): number[] => [])
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1)
    calls.forEach((call, index) => {
      const speed = speedOf(call)
      if (round >= 0) speeds[index]?.push(speed)
    })
  // map() forgets that there is one number for each call.
  return speeds.map(medianOf) as { [Index in keyof Calls]: number }
}

function speedOf(call: () => unknown): number {
  const from = process.cpuUsage()
  let runs = 0
  let seconds = 0
  while (seconds < ROUND_SECONDS) {
    call()
    runs += 1
    const { user, system } = process.cpuUsage(from)
    seconds = (user + system) / 1e6
  }
  return runs / seconds
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
