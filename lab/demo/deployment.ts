/**
 * Two tenancies, a Verifier, an ingest function and workers on this machine, as processes of their own over real
 * sockets. Everything that a real deployment would hold is made here: keys, certificates, policies, configurations.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { issueTlsFiles } from './certificates.ts'
import { type CommandResult, runCommand, runToSuccess } from './command.ts'
import { emulatorConfigOf } from './emulatorConfig.ts'
import { askWorkerTrust, enrol } from './enrolment.ts'
import { type Folders, makeFolders } from './folders.ts'
import { guestsOf, workerName } from './guests.ts'
import { createIdentities } from './identities.ts'
import { createFaultControl, createLaunch } from './launcher.ts'
import type { UserName } from './names.ts'
import { type Narrator, silently } from './output.ts'
import type { LogLine, Program } from './program.ts'
import {
  configFile,
  ociOf,
  type Surroundings,
  userPrincipal,
  writeConfig,
  writeConfigs,
} from './programConfigs.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

export type DeploymentOptions = {
  /** Must not exist. Everything is below it, the sockets apart, whose paths must be short. */
  readonly folder: string
  /** `worker-1` to `worker-<n>` are started. */
  readonly workers: number
  /** Of the jobs stream: the ceiling of workers that have something to do. */
  readonly partitions?: number
  /** How long the jobs of a worker that died stay with it. */
  readonly reservationMs?: number
  readonly narrate?: Narrator
  /** Every JSON line that a program logs. */
  readonly onLine?: (program: string, line: LogLine) => void
  /** Ends the deployment, its start included. */
  readonly signal?: AbortSignal
}

export type Deployment = {
  readonly folders: Folders
  /** Configuration files of programs and commands, by name: `seal`, `open`, `export`, `trust` (the pin), `worker-1`, … */
  readonly configOf: (name: string) => string
  /** The private half of the key that counts are sealed to. */
  readonly auditKeyFile: string
  /** Of the emulator: services, and its own control. */
  readonly endpoint: string
  /** `emulator`, `verifier`, `function`, `worker-1`, …; undefined where none of the name runs. */
  readonly program: (name: string) => Program | undefined
  /** Starts it, for the first time or again after its end. Returns its ready line. */
  readonly start: (name: string) => Promise<LogLine>
  /** Text of `/metrics` of the Verifier or a worker that runs. */
  readonly metricsOf: (name: string) => Promise<string>
  /** One job by hand on a guest of the world: exit 1 where the guest is refused. */
  readonly runJob: (guest: string, jobFile: string) => Promise<CommandResult>
  /** A command of the command line, which has to succeed; returns what it printed. */
  readonly command: (parameters: readonly string[], onLine?: (line: string) => void) => Promise<string>
  /** The same, with whatever exit it has. */
  readonly tryCommand: (parameters: readonly string[]) => Promise<CommandResult>
  /** The services as one person sees them; closed with the deployment. */
  readonly ociAs: (user: UserName) => Oci
  /** Arms a fault of the emulator. */
  readonly arm: (fault: object) => Promise<void>
  readonly clearFaults: () => Promise<void>
  /** Rejects as soon as a program ends that nobody stopped. */
  readonly guard: <T>(work: Promise<T>) => Promise<T>
  readonly signal: AbortSignal
  /** Stops all programs, the last started first; safe to call twice. */
  readonly close: () => Promise<void>
}

type Site = {
  readonly options: DeploymentOptions
  readonly folders: Folders
  readonly socketFolder: string
  readonly supervisor: Supervisor
  /** Invariant: each client that was made is in here until it is closed. */
  readonly clients: Map<UserName, Oci>
}

/** Throws `output.exists`, and what the first program that fails says. Whatever was started is stopped then. */
export async function startDeployment(options: DeploymentOptions): Promise<Deployment> {
  const folders = await makeFolders(options.folder)
  const socketFolder = await mkdtemp(join(tmpdir(), 'cw-'))
  const onLine = options.onLine ?? (() => {})
  const supervisor = createSupervisor({ logFolder: folders.logs, onLine })
  const { signal } = options
  const end = () => supervisor.end(signal?.reason)
  signal?.addEventListener('abort', end, { once: true })
  const clients = new Map<UserName, Oci>()
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', end)
    await supervisor.stopAll()
    for (const oci of clients.values()) oci.close()
    await rm(socketFolder, { recursive: true, force: true })
  }
  try {
    const built = build({ options, folders, socketFolder, supervisor, clients })
    return { ...(await supervisor.guard(built)), close }
  } catch (error) {
    // What followed from a program's end is not what was wrong.
    const cause = supervisor.signal.aborted ? supervisor.signal.reason : error
    await close()
    throw cause
  }
}

async function build(site: Site): Promise<Omit<Deployment, 'close'>> {
  const { options, folders, socketFolder, supervisor } = site
  const { narrate = silently } = options
  const workers = Array.from({ length: options.workers }, (_, index) => workerName(index))
  const guests = guestsOf(socketFolder, workers)
  const functionSocket = join(socketFolder, 'ingest.sock')
  const configOf = (name: string) => configFile(folders.config, name)
  const launch = createLaunch(supervisor, { configOf, emulatorFolder: folders.emulator, functionSocket })

  const [identities, tls, verifierPort] = await narrate(
    'everyone',
    'makes keys: API keys, policy signers, audit key, TLS certificates',
    () => Promise.all([createIdentities(folders.keys), issueTlsFiles(folders.keys, guests), freePort()]),
  )
  const { apiKeys, providerRoot, ociConfig } = identities
  const { partitions = 2, reservationMs = 10_000 } = options
  await writeConfig(
    folders.config,
    'emulator',
    await emulatorConfigOf({ apiKeys, guests, functionSocket, partitions }),
  )
  const emulator = await narrate(
    'emulator',
    'starts two OCI tenancies and an AMD host, whose RSA-4096 roots take seconds',
    launch.emulator,
    ({ endpoint }) => endpoint,
  )
  const around = { ...emulator, ociConfigFile: ociConfig, providerRoot, tls, verifierPort, reservationMs }
  await writeConfigs(folders.config, around, guests)

  const [worker = ''] = workers
  const trust = await narrate('research', "tells the hospital its worker's trust digest", () =>
    askWorkerTrust(configOf(worker), { logFolder: folders.logs, signal: supervisor.signal }),
  )
  await writeConfig(folders.config, 'trust', trust.anchors)
  const ociAs = (user: UserName) => ociOfUser(site, around, user)
  await narrate(
    'hospital',
    'has two persons sign the policy: one dataset, purpose, workload, image',
    () => enrol({ around, identities, trust, worker, ociAs }),
    ({ seq }) => `policy ${seq}`,
  )

  await narrate(
    'verifier',
    'starts and loads the policy',
    () => launch.start('verifier'),
    ({ url }) => String(url),
  )
  await narrate('function', 'waits for events behind its unix socket', () => launch.start('function'))
  await narrate('workers', `${workers.join(' and ')} join the stream's group`, () =>
    Promise.all(workers.map(launch.start)),
  )
  return {
    folders,
    configOf,
    auditKeyFile: identities.auditKeyFile,
    endpoint: emulator.endpoint,
    program: supervisor.find,
    start: launch.start,
    metricsOf: launch.metricsOf,
    ociAs,
    ...commandsOf(site, configOf),
    ...createFaultControl(emulator.endpoint),
    guard: supervisor.guard,
    signal: supervisor.signal,
  }
}

function commandsOf(
  { folders, supervisor }: Site,
  configOf: (name: string) => string,
): Pick<Deployment, 'runJob' | 'command' | 'tryCommand'> {
  const base = { logFolder: folders.logs, signal: supervisor.signal }
  const cli = { ...base, file: 'src/cli/main.ts', log: 'commands' }
  return {
    runJob: (guest, jobFile) => {
      const parameters = ['--config', configOf(guest), '--job', jobFile]
      return runCommand({ ...base, file: 'src/worker/main.ts', log: guest, parameters })
    },
    command: (parameters, onLine) => runToSuccess({ ...cli, parameters, ...(onLine && { onLine }) }),
    tryCommand: (parameters) => runCommand({ ...cli, parameters }),
  }
}

function ociOfUser({ clients }: Site, around: Surroundings, user: UserName): Oci {
  const known = clients.get(user)
  if (known !== undefined) return known
  const config = ociOf(around, userPrincipal(around, user))
  const oci = createOci(config, { allowPlainHttp: true, clock: systemClock })
  clients.set(user, oci)
  return oci
}

/** A port that is free now: the Verifier's address has to be known before it starts, and stay over a restart. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
