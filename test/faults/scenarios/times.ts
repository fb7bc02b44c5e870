/** What time does: tokens, certificates and policies run out, clocks jump. */
import { createPublicKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { systemClock } from '#adapters/system/clock.ts'
import { replaceFile } from '#adapters/system/files.ts'
import { openAuthority } from '#lab/amd/authority.ts'
import { amdScheme } from '#lab/amd/certificate.ts'
import { crlExtensions, issueCrl } from '#lab/amd/crl.ts'
import { renewAuthorities, renewClientCertificate, renewServerCertificate } from '#lab/demo/certificates.ts'
import { type Site, WORKERS } from '../site.ts'
import { publishPolicy, readPolicy } from './policies.ts'
import type { Scenario, Stage } from './scenario.ts'

const DAY_SECONDS = 86_400
const SHORT_SECONDS = 30
const EXPIRED_MS = 75_000
const JUMP_MS = 600_000
const JUMPED_MS = 45_000
const CLOCK_FILE = join('/tmp', `cw-clock-${process.pid}.json`)
/** Every program but the function and the emulator, which has the right time. */
const JUMPING = {
  NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'jumpClock.ts')).href}`,
  CW_CLOCK_FILE: CLOCK_FILE,
}

function jump(name: string, about: string, programs: readonly string[], milliseconds: number): Scenario {
  return {
    name,
    about,
    environment: JUMPING,
    cause: async ({ under }) => {
      const offsets = Object.fromEntries(programs.map((program) => [program, milliseconds]))
      await writeFile(CLOCK_FILE, JSON.stringify(offsets))
      await under(sleep(JUMPED_MS))
      await writeFile(CLOCK_FILE, '{}')
    },
  }
}

async function expirePolicy(site: Site, under: (cause: Promise<unknown>) => Promise<void>): Promise<void> {
  const now = systemClock.now()
  await publishPolicy(site, 2, { issuedAt: now, expiresAt: now + SHORT_SECONDS })
  await under(sleep(EXPIRED_MS))
  await publishPolicy(site, 3, { issuedAt: systemClock.now(), expiresAt: now + 30 * DAY_SECONDS })
}

/** AMD's lists live for weeks. A higher number replaces one, so this list may be valid for seconds. */
async function writeRevocationList({ system }: Site, number: number, lifeSeconds: number): Promise<void> {
  const folder = join(system.deployment.folders.emulator, 'amd')
  const { arkKey, product } = await openAuthority(folder, 'Genoa')
  const thisUpdate = systemClock.now()
  const request = { issuer: `ARK-${product}`, thisUpdate, nextUpdate: thisUpdate + lifeSeconds, revoked: [] }
  const extensions = crlExtensions(createPublicKey(arkKey), number)
  const der = issueCrl({ ...request, extensions }, amdScheme(arkKey))
  await replaceFile(join(folder, product, 'crl.der'), der)
}

async function expireRevocationList(
  site: Site,
  under: (cause: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const now = systemClock.now()
  const { referenceValues } = await readPolicy(site, 1)
  await publishPolicy(site, 2, {
    issuedAt: now,
    referenceValues: referenceValues.map((values) => ({ ...values, crl: { graceSeconds: 0 } })),
  })
  await writeRevocationList(site, 10_001, SHORT_SECONDS)
  await under(sleep(EXPIRED_MS))
  await writeRevocationList(site, 10_002, 30 * DAY_SECONDS)
}

/** `renew` writes certificates that live so many days, or long. */
async function expireCertificates(
  { site, under }: Pick<Stage, 'site' | 'under'>,
  renew: (folder: string, days?: number) => Promise<void>,
): Promise<void> {
  const { keys } = site.system.deployment.folders
  await renew(keys, SHORT_SECONDS / DAY_SECONDS)
  const expire = async (): Promise<void> => {
    await sleep(SHORT_SECONDS * 1000 + 5000)
    // Only new connections see the certificate.
    site.balancer.cut()
    await sleep(EXPIRED_MS - SHORT_SECONDS * 1000 - 5000)
  }
  await under(expire())
  const noticed = WORKERS.some((worker) =>
    site.system.linesOf(worker).some(({ error }) => String(error).includes('has expired')),
  )
  if (!noticed) throw new RangeError('no worker has named an expired certificate')
  await renew(keys)
}

async function renewClientCertificates(folder: string, days?: number): Promise<void> {
  for (const worker of WORKERS) await renewClientCertificate(folder, worker, days)
}

export const TIME_SCENARIOS: readonly Scenario[] = [
  {
    name: 'session-tokens',
    about: 'session tokens of 40 seconds, for three minutes',
    site: { sessionSeconds: 40 },
    cause: ({ under }) => under(sleep(180_000)),
  },
  {
    name: 'policy-expiry',
    about: `a policy that runs out after ${SHORT_SECONDS} s, renewed ${EXPIRED_MS / 1000 - SHORT_SECONDS} s later`,
    cause: ({ site, under }) => expirePolicy(site, under),
  },
  {
    name: 'certificate-expiry',
    about: `the Verifiers' TLS certificate runs out after ${SHORT_SECONDS} s; the new file comes 45 s later`,
    cause: (stage) => expireCertificates(stage, renewServerCertificate),
  },
  {
    name: 'client-certificate-expiry',
    about: `the workers' client certificates run out after ${SHORT_SECONDS} s; the new files come 45 s later`,
    cause: (stage) => expireCertificates(stage, renewClientCertificates),
  },
  {
    name: 'ca-expiry',
    about: `the CA of both sides runs out after ${SHORT_SECONDS} s; its new certificate comes 45 s later`,
    cause: (stage) => expireCertificates(stage, renewAuthorities),
  },
  {
    name: 'crl-expiry',
    about: `AMD's revocation list runs out after ${SHORT_SECONDS} s without a grace; the next one comes later`,
    // The Verifiers read the folder every 15 seconds, and then the workers ask again within a minute.
    bound: 90,
    cause: ({ site, under }) => expireRevocationList(site, under),
  },
  jump('clock-worker', 'the clock of a worker jumps ten minutes ahead and back', ['worker-1'], JUMP_MS),
  jump('clock-worker-back', 'the clock of a worker jumps ten minutes back and forth', ['worker-1'], -JUMP_MS),
  jump('clock-verifier', 'the clock of a Verifier jumps ten minutes back and forth', ['verifier'], -JUMP_MS),
]
