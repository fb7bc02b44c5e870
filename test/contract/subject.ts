/**
 * The services behind the contract suites. One is the emulator in this process, reached by the real SDK
 * clients as instance principals. The other is OCI, if `CW_CONTRACT_OCI` names a JSON file of the shape
 * `RealOci` below. That file's principal needs: objects in the bucket (create, overwrite, read, inspect), the
 * keys' verbs, the secret, stream-pull and stream-push on the stream. The suites leave objects, messages and
 * consumer groups behind.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { parseJson } from '#core/canonical.ts'
import { toUnixSeconds } from '#core/time.ts'
import { type EmulatorConfig, parseEmulatorConfig } from '#lab/emulator/config.ts'
import { startEmulator } from '#lab/emulator/emulator.ts'
import type { Clock } from '#ports/clock.ts'

export type Setup = {
  /** Two principals with the same permissions. */
  readonly first: Oci
  readonly second: Oci
  readonly resources: Resources
  /** Lets time pass, for the service and for the adapter. */
  readonly pass: (milliseconds: number) => Promise<void>
  /** Arms a fault of the emulator. Undefined for OCI. */
  readonly arm: ((fault: object) => Promise<void>) | undefined
  /** Stops the service without warning and starts it again from its disk. Undefined for OCI. */
  readonly restart: (() => Promise<void>) | undefined
}

export type Subject = {
  readonly name: string
  readonly skip: string | false
  /** Opens one set-up per test file, at the first call. Tests use names and groups of their own. */
  readonly open: () => Promise<Setup>
}

const Resources = z.strictObject({
  namespace: z.string(),
  bucket: z.string(),
  /** AES-256, RSA-2048 and P-384 keys of one vault. */
  aesKey: z.string(),
  rsaKey: z.string(),
  signingKey: z.string(),
  secret: z.string(),
  /** With two partitions. */
  stream: z.string(),
})
type Resources = z.output<typeof Resources>
const RealOci = z.strictObject({ oci: OciConfig, resources: Resources })

export const TENANCY = 'ocid1.tenancy.oc1..contract'
const REGION = 'eu-frankfurt-1'
const ocidOf = (kind: string, name: string): string => `ocid1.${kind}.oc1..${name}`

export const RESOURCES: Resources = {
  namespace: 'contract',
  bucket: 'bucket',
  aesKey: ocidOf('key', 'aes'),
  rsaKey: ocidOf('key', 'rsa'),
  signingKey: ocidOf('key', 'signing'),
  secret: ocidOf('vaultsecret', 'secret'),
  stream: ocidOf('stream', 'stream'),
}

const POLICY = `
Allow dynamic-group testers to {OBJECT_CREATE, OBJECT_OVERWRITE, OBJECT_READ, OBJECT_INSPECT, OBJECT_DELETE} in tenancy
Allow dynamic-group testers to {KEY_READ, KEY_ENCRYPT, KEY_DECRYPT, KEY_SIGN, KEY_VERIFY, VAULT_READ} in tenancy
Allow dynamic-group testers to {SECRET_BUNDLE_READ, STREAM_READ, STREAM_CONSUME, STREAM_PRODUCE} in tenancy
`

export function contractWorld(change: (world: EmulatorConfig) => void = () => {}): EmulatorConfig {
  const here = { compartmentId: TENANCY }
  const vault = { ...here, vaultId: ocidOf('vault', 'vault') }
  const instance = (name: string) => ({ id: ocidOf('instance', name), name, ...here, imdsPort: 0 })
  const world: EmulatorConfig = {
    v: 1,
    region: REGION,
    sessionSeconds: 1200,
    port: 0,
    tenancies: [{ id: TENANCY, name: 'contract', namespace: RESOURCES.namespace }],
    compartments: [],
    groups: [],
    users: [],
    dynamicGroups: [
      {
        id: ocidOf('dynamicgroup', 'testers'),
        name: 'testers',
        tenancyId: TENANCY,
        rule: `ALL {instance.compartment.id = '${TENANCY}'}`,
      },
    ],
    instances: [instance('first'), instance('second')],
    functions: [],
    guests: [],
    buckets: [
      {
        id: ocidOf('bucket', 'bucket'),
        name: RESOURCES.bucket,
        ...here,
        objectEvents: false,
        retentionSeconds: 0,
      },
    ],
    vaults: [{ id: vault.vaultId, name: 'vault', ...here }],
    keys: [
      { id: RESOURCES.aesKey, name: 'aes', ...vault, shape: { algorithm: 'AES', length: 32 } },
      { id: RESOURCES.rsaKey, name: 'rsa', ...vault, shape: { algorithm: 'RSA', length: 256 } },
      {
        id: RESOURCES.signingKey,
        name: 'signing',
        ...vault,
        shape: { algorithm: 'ECDSA', curve: 'NIST_P384' },
      },
    ],
    secrets: [{ id: RESOURCES.secret, name: 'secret', ...vault }],
    streams: [{ id: RESOURCES.stream, name: 'stream', ...here, partitions: 2, retentionSeconds: 86_400 }],
    eventRules: [],
    policies: [{ name: 'contract', tenancyId: TENANCY, statements: POLICY, variables: {} }],
  }
  change(world)
  return parseEmulatorConfig(world)
}

// Registered outside of any test. Inside of one, the hook would belong to that test.
const endings: (() => Promise<void> | void)[] = []
after(async () => {
  for (const end of endings) await end()
})
const atFileEnd: Ending = { after: (end) => endings.push(end) }

const emulator: Subject = {
  name: 'emulator',
  skip: false,
  open: once(() => openEmulator(atFileEnd, contractWorld())),
}

/** Collects the cleanup of a test, or of the test file. */
type Ending = { readonly after: (end: () => Promise<void> | void) => void }

export async function openEmulator(t: Ending, world: EmulatorConfig): Promise<Setup> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-contract-'))
  const faults: unknown[] = []
  // The clients sign with the real time, and the service allows five minutes either way. It starts two
  // minutes behind, so that a test can let five pass.
  let offset = -120_000
  const start = Date.now()
  const now = (): number => start + offset
  const options = { config: world, folder, now, onFault: (error: unknown) => faults.push(error) }
  let running = await startEmulator(options)
  const clock: Clock = {
    now: () => toUnixSeconds(Math.floor(now() / 1000)),
    monotonic: () => offset,
    sleep: async (milliseconds) => {
      offset += milliseconds
    },
  }
  const connect = (name: string): Oci => {
    const { endpoint } = running
    const metadataUrl = running.imds[ocidOf('instance', name)]
    const principal = { kind: 'instance', metadataUrl, federationUrl: endpoint }
    const endpoints = {
      objectStorage: endpoint,
      streaming: endpoint,
      vaultCrypto: endpoint,
      vaultManagement: endpoint,
      secrets: endpoint,
    }
    return createOci(OciConfig.parse({ principal, endpoints }), { allowPlainHttp: true, clock })
  }
  const first = connect('first')
  const second = connect('second')
  t.after(async () => {
    first.close()
    second.close()
    await running.close()
    await rm(folder, { recursive: true, force: true })
    if (faults.length > 0) throw new AggregateError(faults, 'the emulator failed')
  })
  return {
    first,
    second,
    resources: RESOURCES,
    pass: async (milliseconds) => {
      offset += milliseconds
    },
    arm: async (fault) => {
      const answer = await fetch(`${running.endpoint}/emulator/faults`, {
        method: 'POST',
        body: JSON.stringify(fault),
      })
      if (!answer.ok) throw new Error(`the fault was not armed: ${answer.status}`)
    },
    restart: async () => {
      await running.close()
      running = await startEmulator(options)
    },
  }
}

const realFile = process.env['CW_CONTRACT_OCI']

const realOci: Subject = {
  name: 'OCI',
  skip:
    realFile === undefined
      ? 'set CW_CONTRACT_OCI to a file with { oci, resources } to run the contract against real OCI'
      : false,
  open: once(async () => {
    const { oci, resources } = RealOci.parse(parseJson(readFileSync(realFile ?? '')))
    const clock: Clock = {
      now: () => toUnixSeconds(Math.floor(Date.now() / 1000)),
      monotonic: () => performance.now(),
      sleep: async (milliseconds, signal) => sleep(milliseconds, undefined, signal && { signal }),
    }
    const first = createOci(oci, { allowPlainHttp: false, clock })
    const second = createOci(oci, { allowPlainHttp: false, clock })
    atFileEnd.after(() => {
      first.close()
      second.close()
    })
    return {
      first,
      second,
      resources,
      pass: (milliseconds) => sleep(milliseconds),
      arm: undefined,
      restart: undefined,
    }
  }),
}

export const subjects: readonly Subject[] = [emulator, realOci]

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** A name that no other run uses. */
export function unique(prefix: string): string {
  return `${prefix}${randomBytes(8).toString('hex')}`
}

/** An error with exactly this code, for `assert.rejects`. */
export function coded(code: string) {
  return { name: 'CodedError', code }
}
