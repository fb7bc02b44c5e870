/** A deployment under test, with helpers for those who act in it: the hospital, the attacker, the auditor. */
import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { exportEvidence } from '#adapters/evidence/export.ts'
import { auditFolder, type FolderReport } from '#adapters/evidence/folderAudit.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { type SealedFile, sealFile } from '#adapters/sealed/sealFile.ts'
import { type UploadedObject, uploadSealed } from '#adapters/sealed/upload.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { peekCompact, type Signer } from '#core/jws.ts'
import { manifestName, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { type Deployment, type DeploymentOptions, startDeployment } from '#lab/demo/deployment.ts'
import { EmulatorReady } from '#lab/demo/launcher.ts'
import { type LogLine, messageOf } from '#lab/demo/logLine.ts'
import { createLogWatch, type LogWatch } from '#lab/demo/logWatch.ts'
import {
  CONSUMER,
  DATASET,
  FUNCTION,
  KEYS,
  ocidOf,
  PROVIDER,
  REGION,
  STREAMS,
  TENANT,
} from '#lab/demo/names.ts'
import { generatePopulation } from '#lab/demo/population.ts'
import { within } from '#lab/demo/program.ts'

/** The longest wait. Only a failing test takes this long. */
const PATIENCE_MS = 30_000
const POLL_MS = 25
const PATIENTS = 15
const RESULTS = { namespace: CONSUMER.namespace, bucket: 'results' }
const SEALING = {
  tenant: TENANT,
  dataset: DATASET,
  keyId: KEYS.dataset,
  namespace: PROVIDER.namespace,
  buckets: { outbox: 'outbox', governance: 'governance' },
}

export type SystemUnderTest = {
  readonly deployment: Deployment
  readonly watch: LogWatch
  /** All lines that the program has logged so far, also before a restart. */
  readonly linesOf: (program: string) => readonly LogLine[]
  /** The process id of a running program. */
  readonly pid: (program: string) => number | undefined
  readonly sealer: Oci
  readonly signer: Signer
  /**
   * Seals synthetic patients or the given lines, signed with the dataset's key or another, outside the
   * deployment. `dek` is the data key, for the search for leaks.
   */
  readonly seal: (
    name: string,
    options?: { readonly patients?: number; readonly lines?: string; readonly by?: Signer },
  ) => Promise<SealedFile & { readonly dek: Buffer }>
  readonly upload: (file: string) => Promise<UploadedObject>
  readonly close: () => Promise<void>
}

export async function startSystem(options: Omit<DeploymentOptions, 'folder'>): Promise<SystemUnderTest> {
  const parent = await mkdtemp(join(tmpdir(), 'cw-e2e-'))
  const watch = createLogWatch()
  const lines: { readonly program: string; readonly line: LogLine }[] = []
  const deployment = await startDeployment({
    ...options,
    folder: join(parent, 'deployment'),
    onLine: (program, line) => {
      lines.push({ program, line })
      watch.onLine(program, line)
      options.onLine?.(program, line)
    },
  })
  const oci = deployment.ociAs('sealer')
  const signer = await oci.keyVault().signer(KEYS.sealing)
  return {
    deployment,
    watch,
    linesOf: (program) => lines.filter((each) => each.program === program).map(({ line }) => line),
    pid: (program) => deployment.program(program)?.pid,
    sealer: oci,
    signer,
    seal: async (name, { patients = PATIENTS, lines, by = signer } = {}) => {
      const file = join(parent, `${name}.ndjson`)
      const content = lines === undefined ? generatePopulation({ seed: name, patients }) : [lines]
      await pipeline(Readable.from(content), createWriteStream(file))
      const vault = oci.keyVault()
      const { cipher } = loadSegmentCipher()
      const deks: Buffer[] = []
      const generateDataKey: typeof vault.generateDataKey = async (...key) => {
        const made = await vault.generateDataKey(...key)
        deks.push(Buffer.from(made.plaintext))
        return made
      }
      const sealed = await sealFile(
        SEALING,
        { file, out: `${file}.sealed` },
        { vault: { generateDataKey }, signer: by, cipher, clock: systemClock },
      )
      return { ...sealed, dek: Buffer.concat(deks) }
    },
    upload: (file) => uploadSealed(SEALING, file, { store: oci.objectStore(), signer, clock: systemClock }),
    close: async () => {
      await deployment.close()
      await rm(parent, { recursive: true, force: true })
    },
  }
}

/** OCI's services with the rights of a program. The caller closes them. */
export async function ociOfProgram({ deployment, linesOf }: SystemUnderTest, name: string): Promise<Oci> {
  const { oci } = JSON.parse(await readFile(deployment.configOf(name), 'utf8'))
  const ready = linesOf('emulator').find((line) => messageOf(line) === 'ready')
  const principal = EmulatorReady.parse(ready).functions[FUNCTION]
  // The platform gives these variables to a function and to no other program.
  Object.assign(process.env, {
    OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
    OCI_RESOURCE_PRINCIPAL_RPST: principal?.rpst,
    OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: principal?.privatePem,
    OCI_RESOURCE_PRINCIPAL_REGION: REGION,
  })
  return createOci(OciConfig.parse(oci), { allowPlainHttp: true, clock: systemClock })
}

export function principalOf(worker: string): string {
  return ocidOf('instance', worker)
}

/** Resolves as soon as `holds`. Throws `internal.fault` with `failure` if that takes too long. */
export async function until(
  system: SystemUnderTest,
  failure: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  const waiting = new AbortController()
  const poll = async () => {
    while (!waiting.signal.aborted && !(await holds())) await systemClock.sleep(POLL_MS)
  }
  try {
    await system.deployment.guard(within(poll(), PATIENCE_MS, failure))
  } finally {
    waiting.abort()
  }
}

/** Waits until a program logs this line. */
export function waitForLine(system: SystemUnderTest, message: string, fields: LogLine) {
  const failure = `no program has logged ${message} ${JSON.stringify(fields)}`
  return system.deployment.guard(within(system.watch.waitFor(message, fields), PATIENCE_MS, failure))
}

/** The boot id of the program's latest run. */
export function bootOf(system: SystemUnderTest, program: string): string {
  const opened = system.linesOf(program).findLast((line) => messageOf(line) === 'opened')
  assert.ok(opened !== undefined, `${program} has not opened its log`)
  return String(opened['boot'])
}

/** The number of committed batches of the jobs stream. */
export async function commits({ deployment }: SystemUnderTest): Promise<number> {
  const calls = await deployment.control.calls()
  const suffix = `/streams/${STREAMS.jobs}/commit`
  return calls.find(({ call, status }) => status === 200 && call.endsWith(suffix))?.count ?? 0
}

/** Every result manifest for the object with this header digest. */
export async function resultsOf(
  { deployment }: SystemUnderTest,
  headerDigest: string,
): Promise<readonly ResultManifest[]> {
  const store = deployment.ociAs('researcher').objectStore()
  const found: ResultManifest[] = []
  for await (const { name } of store.list(RESULTS, 'r/')) {
    if (!name.endsWith('/result')) continue
    const text = await store.readAll({ ...RESULTS, name }, ResultManifestFormat.maxBytes * 2)
    const { payload } = peekCompact(ResultManifestFormat, text.toString('latin1'), 'record.malformed')
    assert.equal(name, manifestName(payload.resultId))
    if (payload.headerDigests.includes(headerDigest)) found.push(payload)
  }
  return found
}

/** Copies the evidence that is new since the last audit, and asserts that all of it is intact. */
export async function audit({ deployment }: SystemUnderTest): Promise<FolderReport> {
  const { folders, configOf, ociAs } = deployment
  const evidence = { evidence: 'evidence-verifier', workerEvidence: 'evidence-worker' }
  const provider = { namespace: PROVIDER.namespace, governance: 'governance', ...evidence }
  const consumer = { namespace: CONSUMER.namespace, results: 'results' }
  const store = ociAs('auditor').objectStore()
  await exportEvidence({ provider, consumer }, { out: folders.evidence }, { store })
  const report = await auditFolder(folders.evidence, {
    trust: configOf('trust'),
    simulation: true,
  })
  assert.equal(report.verdict, 'intact', JSON.stringify(report.findings))
  return report
}

/** Audits by the command line: exit code 0, and 1 unless the caller accepts simulated machines. */
export async function auditByCommand({ deployment }: SystemUnderTest): Promise<void> {
  const { folders, configOf, tryCommand } = deployment
  const parameters = ['evidence', 'verify', folders.evidence, '--trust', configOf('trust')]
  const [accepted, refused] = await Promise.all([
    tryCommand([...parameters, '--simulation']),
    tryCommand(parameters),
  ])
  assert.equal(accepted.exit, 0, accepted.stdout)
  assert.equal(refused.exit, 1, refused.stdout)
}
