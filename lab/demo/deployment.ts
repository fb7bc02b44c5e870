/**
 * Two tenancies, a Verifier, an ingest function and workers on this machine, each in its own process, over
 * real sockets. Creates everything that a real deployment would hold: keys, certificates, policies,
 * configurations.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { issueTlsFiles } from './certificates.ts'
import { type CommandResult, runCommand, runToSuccess } from './command.ts'
import { emulatorConfigOf } from './emulatorConfig.ts'
import { createEmulatorControl, type EmulatorControl } from './emulatorControl.ts'
import { askWorkerTrust, enrol } from './enrolment.ts'
import { type Folders, makeFolders } from './folders.ts'
import { guestsOf, workerName } from './guests.ts'
import { createIdentities } from './identities.ts'
import { createLauncher } from './launcher.ts'
import type { LogLine } from './logLine.ts'
import { type UserName, verifierName } from './names.ts'
import { type RunStep, stepSilently } from './output.ts'
import type { RunningProgram } from './program.ts'
import {
  configFile,
  type DeploymentSettings,
  ociOf,
  userPrincipal,
  writeConfig,
  writeConfigs,
} from './programConfigs.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

export type DeploymentOptions = {
  /** Must not exist. Holds everything except the sockets, whose paths must be short. */
  readonly folder: string
  /** `worker-1` to `worker-<n>` are started. */
  readonly workers: number
  /** These workers more have a machine and a configuration, and are not started. Default 0. */
  readonly spareWorkers?: number
  /** Replicas of the Verifier. Default 1. */
  readonly verifiers?: number
  /** False: workers know the address of each replica. Default true: several replicas are behind a balancer. */
  readonly balanced?: boolean
  /** True: a program that ends by itself ends the deployment. Default true. */
  readonly endsWithProgram?: boolean
  /** Partitions of the jobs stream. At most this many workers can have jobs at the same time. */
  readonly partitions?: number
  /** How long the jobs of a dead worker stay reserved for it. */
  readonly reservationMs?: number
  /** How long a session token lives. */
  readonly sessionSeconds?: number
  readonly step?: RunStep
  /** Called with every JSON line that a program logs. */
  readonly onLine?: (program: string, line: LogLine) => void
  /** Ends the deployment, even during its start. */
  readonly signal?: AbortSignal
}

export type Deployment = {
  readonly folders: Folders
  /** The configuration file of a program or command: `worker-1`, `seal`, `open`, `export`, `trust` (the pin). */
  readonly configOf: (name: string) => string
  /** The hospital's private key for the sealed counts. */
  readonly auditKeyFile: string
  /** The emulator's address, of OCI's services and of its own control. */
  readonly endpoint: string
  readonly control: EmulatorControl
  /** Undefined for a single Verifier, or if workers know each replica. */
  readonly balancer: Balancer | undefined
  /**
   * `emulator`, `freshness`, `verifier`, `verifier-2`, `function`, `worker-1`, …; undefined if no program of
   * this name runs.
   */
  readonly program: (name: string) => RunningProgram | undefined
  /** Starts the program, or starts it again after its end. Returns its ready line. */
  readonly start: (name: string) => Promise<LogLine>
  /** From now on a program that ends by itself is started again, as systemd does. */
  readonly reviveEnded: () => void
  /** The text of `/metrics` of the running Verifier or worker. */
  readonly metricsOf: (name: string) => Promise<string>
  /** Runs one job from a file on a guest. Exit code 1 means that the guest was refused. */
  readonly runJob: (guest: string, jobFile: string) => Promise<CommandResult>
  /** Runs a command of the command line that has to succeed; returns its stdout. */
  readonly command: (parameters: readonly string[], onLine?: (line: string) => void) => Promise<string>
  /** Runs a command that may fail. */
  readonly tryCommand: (parameters: readonly string[]) => Promise<CommandResult>
  /** OCI's services with the rights of one person; closed with the deployment. */
  readonly ociAs: (user: UserName) => Oci
  /** Rejects as soon as a program ends that was not stopped. */
  readonly guard: <T>(work: Promise<T>) => Promise<T>
  readonly signal: AbortSignal
  /** Stops all programs, the last started first. Safe to call twice. */
  readonly close: () => Promise<void>
}

type BuildContext = {
  readonly options: DeploymentOptions
  readonly folders: Folders
  readonly socketFolder: string
  readonly supervisor: Supervisor
  /** Invariant: holds every client that was created and is not yet closed. */
  readonly clients: Map<UserName, Oci>
  readonly balancers: Balancer[]
}

/** Throws `output.exists`, or the error of the first program that fails; then stops all that was started. */
export async function startDeployment(options: DeploymentOptions): Promise<Deployment> {
  const folders = await makeFolders(options.folder)
  const socketFolder = await mkdtemp(join(tmpdir(), 'cw-'))
  const onLine = options.onLine ?? (() => {})
  const { signal, endsWithProgram } = options
  const supervisor = createSupervisor({ logFolder: folders.logs, onLine, endsWithProgram })
  const end = () => supervisor.end(signal?.reason)
  signal?.addEventListener('abort', end, { once: true })
  const clients = new Map<UserName, Oci>()
  const balancers: Balancer[] = []
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', end)
    await supervisor.stopAll()
    for (const oci of clients.values()) oci.close()
    for (const balancer of balancers) await balancer.close()
    await rm(socketFolder, { recursive: true, force: true })
  }
  try {
    const built = build({ options, folders, socketFolder, supervisor, clients, balancers })
    return { ...(await supervisor.guard(built)), close }
  } catch (error) {
    // If a program ended, that is the cause; later errors only follow from it.
    const cause = supervisor.signal.aborted ? supervisor.signal.reason : error
    await close()
    throw cause
  }
}

async function build(context: BuildContext): Promise<Omit<Deployment, 'close'>> {
  const { options, folders, socketFolder, supervisor } = context
  const { step = stepSilently, spareWorkers = 0 } = options
  const machines = Array.from({ length: options.workers + spareWorkers }, (_, index) => workerName(index))
  const workers = machines.slice(0, options.workers)
  const verifiers = Array.from({ length: options.verifiers ?? 1 }, (_, index) => verifierName(index))
  const guests = guestsOf(socketFolder, machines)
  const functionSocket = join(socketFolder, 'ingest.sock')
  const configOf = (name: string) => configFile(folders.config, name)
  const files = { configOf, emulatorFolder: folders.emulator, runFolder: folders.run, functionSocket }
  const launcher = createLauncher(supervisor, files)

  const [identities, tls, verifierPorts] = await step(
    'demo',
    'creates API keys, policy signing keys, an audit key and TLS certificates',
    () =>
      Promise.all([
        createIdentities(folders.keys),
        issueTlsFiles(folders.keys, guests),
        freePorts(verifiers.length),
      ]),
  )
  const { apiKeys, providerRoot, ociConfig, freshnessKeyFile } = identities
  const { partitions = 2, reservationMs = 10_000, sessionSeconds = 1200 } = options
  const emulatorConfig = await emulatorConfigOf({
    apiKeys,
    guests,
    functionSocket,
    partitions,
    sessionSeconds,
  })
  await writeConfig(folders.config, 'emulator', emulatorConfig)
  const emulator = await step(
    'emulator',
    'starts two OCI tenancies and an AMD host with its own root keys',
    launcher.startEmulator,
    ({ endpoint }) => endpoint,
  )
  const { balanced = true } = options
  const balancer = balanced && verifiers.length > 1 ? await startBalancer(verifierPorts) : undefined
  if (balancer !== undefined) context.balancers.push(balancer)
  const ports = balancer === undefined ? verifierPorts : [balancer.port]
  const verifierUrls = ports.map((port) => `https://127.0.0.1:${port}`)
  const settings = {
    ...emulator,
    ociConfigFile: ociConfig,
    providerRoot,
    freshnessKeyFile,
    registers: folders.registers,
    freshnessState: join(folders.keys, 'freshness.json'),
    tls,
    verifierPorts,
    verifierUrls,
    reservationMs,
  }
  await writeConfigs(folders.config, settings, guests)

  const [worker = ''] = workers
  const trust = await step('research', 'sends the hospital the trust digest of its worker', () =>
    askWorkerTrust(configOf(worker), { logFolder: folders.logs, signal: supervisor.signal }),
  )
  await writeConfig(folders.config, 'trust', trust.anchors)
  const ociAs = (user: UserName) => ociOfUser(context, settings, user)
  await step(
    'hospital',
    'publishes a policy for one dataset, purpose and image, signed by two people',
    () => enrol({ settings, identities, trust, worker, ociAs }),
    ({ seq }) => `policy ${seq}`,
  )

  await step('freshness', 'signs what is in force, and again every minute', () => launcher.start('freshness'))
  await step(
    'verifier',
    'starts and loads the policy',
    () => Promise.all(verifiers.map(launcher.start)),
    (ready) => ready.map(({ url }) => String(url)).join(' and '),
  )
  await step('function', 'starts and waits for events', () => launcher.start('function'))
  await step('workers', `${workers.join(' and ')} start and wait for jobs`, () =>
    Promise.all(workers.map(launcher.start)),
  )
  return {
    folders,
    configOf,
    auditKeyFile: identities.auditKeyFile,
    endpoint: emulator.endpoint,
    control: createEmulatorControl(emulator.endpoint),
    balancer,
    program: supervisor.find,
    start: launcher.start,
    reviveEnded: () => supervisor.revive(launcher.start),
    metricsOf: launcher.metricsOf,
    ociAs,
    ...commandsOf(context, configOf),
    guard: supervisor.guard,
    signal: supervisor.signal,
  }
}

function commandsOf(
  { folders, supervisor }: BuildContext,
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

function ociOfUser({ clients }: BuildContext, settings: DeploymentSettings, user: UserName): Oci {
  const known = clients.get(user)
  if (known !== undefined) return known
  const config = ociOf(settings, userPrincipal(settings, user))
  const oci = createOci(config, { allowPlainHttp: true, clock: systemClock })
  clients.set(user, oci)
  return oci
}

/** Ports that are free now. A Verifier's address must be known before it starts and survive a restart. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  // A TCP listener's address is never a string.
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
