/** A deployment under test, and those who act in it: the hospital that seals, whoever breaks something, the auditor. */
import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { exportEvidence } from '#cli/evidence/export.ts'
import { type VerifiedEvidence, verifyEvidence } from '#cli/evidence/verify.ts'
import { type SealedFile, sealFile } from '#cli/seal/seal.ts'
import { type UploadedObject, uploadSealed } from '#cli/seal/upload.ts'
import { peekCompact, type Signer } from '#core/jws.ts'
import { manifestName, type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'
import { type Deployment, type DeploymentOptions, startDeployment } from '#lab/demo/deployment.ts'
import { EmulatorReady } from '#lab/demo/launcher.ts'
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
import { type LogLine, messageOf, within } from '#lab/demo/program.ts'

/** For anything that is waited for: a failure takes this long, a success never. */
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

export type Site = {
  readonly deployment: Deployment
  readonly watch: LogWatch
  /** All lines so far of the program's present and earlier lives. */
  readonly said: (program: string) => readonly LogLine[]
  /** Of a program that runs. */
  readonly pid: (program: string) => number | undefined
  readonly sealer: Oci
  readonly signer: Signer
  /** Made-up patients, or the lines that are given, sealed by the dataset's key or another, outside the deployment. */
  readonly seal: (
    name: string,
    options?: { readonly lines?: string; readonly by?: Signer },
  ) => Promise<SealedFile>
  readonly upload: (file: string) => Promise<UploadedObject>
  readonly close: () => Promise<void>
}

export async function openSite(options: Omit<DeploymentOptions, 'folder' | 'onLine'>): Promise<Site> {
  const parent = await mkdtemp(join(tmpdir(), 'cw-e2e-'))
  const watch = createLogWatch()
  const lines: { readonly program: string; readonly line: LogLine }[] = []
  const deployment = await startDeployment({
    ...options,
    folder: join(parent, 'site'),
    onLine: (program, line) => {
      lines.push({ program, line })
      watch.onLine(program, line)
    },
  })
  const oci = deployment.ociAs('sealer')
  const signer = await oci.keyVault().signer(KEYS.sealing)
  return {
    deployment,
    watch,
    said: (program) => lines.filter((each) => each.program === program).map(({ line }) => line),
    pid: (program) => deployment.program(program)?.pid,
    sealer: oci,
    signer,
    seal: async (name, { lines, by = signer } = {}) => {
      const file = join(parent, `${name}.ndjson`)
      const content = lines === undefined ? generatePopulation({ seed: name, patients: PATIENTS }) : [lines]
      await pipeline(Readable.from(content), createWriteStream(file))
      const vault = oci.keyVault()
      const { cipher } = loadSegmentCipher()
      return await sealFile(
        SEALING,
        { file, out: `${file}.sealed` },
        { vault, signer: by, cipher, clock: systemClock },
      )
    },
    upload: (file) => uploadSealed(SEALING, file, { store: oci.objectStore(), signer, clock: systemClock }),
    close: async () => {
      await deployment.close()
      await rm(parent, { recursive: true, force: true })
    },
  }
}

/** The services with the rights of a program; whoever asks closes it. */
export async function ociOfProgram({ deployment, said }: Site, name: string): Promise<Oci> {
  const { oci } = JSON.parse(await readFile(deployment.configOf(name), 'utf8'))
  const ready = said('emulator').find((line) => messageOf(line) === 'ready')
  const principal = EmulatorReady.parse(ready).functions[FUNCTION]
  // As the platform gives them to a function, and to nobody else.
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

/** Resolves when `what` is so; throws `internal.fault` where it has not become so in time. */
export async function until(site: Site, what: string, isSo: () => Promise<boolean>): Promise<void> {
  const waiting = new AbortController()
  const poll = async () => {
    while (!waiting.signal.aborted && !(await isSo())) await systemClock.sleep(POLL_MS)
  }
  try {
    await site.deployment.guard(within(poll(), PATIENCE_MS, what))
  } finally {
    waiting.abort()
  }
}

/** A line that a program says, sooner or later. */
export function hear(site: Site, message: string, fields: LogLine) {
  const what = `nobody says ${message} ${JSON.stringify(fields)}`
  return site.deployment.guard(within(site.watch.saying(message, fields), PATIENCE_MS, what))
}

/** The boot of the program's present or last life. */
export function bootOf(site: Site, program: string): string {
  const opened = site.said(program).findLast((line) => messageOf(line) === 'opened')
  assert.ok(opened !== undefined, `${program} has not opened its log`)
  return String(opened['boot'])
}

/** Faults that are armed and not yet taken. */
export async function armed({ deployment }: Site): Promise<readonly { match?: { principal?: string } }[]> {
  const response = await fetch(`${deployment.endpoint}/emulator/faults`)
  // The emulator's own list, of what these tests armed.
  return (await response.json()) as { match?: { principal?: string } }[]
}

/** How many batches were committed to the jobs stream. */
export async function commits({ deployment }: Site): Promise<number> {
  const response = await fetch(`${deployment.endpoint}/emulator/calls`)
  // As lab/emulator/control.ts lists them.
  const calls = (await response.json()) as { call: string; status: number; count: number }[]
  const suffix = `/streams/${STREAMS.jobs}/commit`
  return calls.find(({ call, status }) => status === 200 && call.endsWith(suffix))?.count ?? 0
}

/** Every manifest over the object with this header digest. */
export async function resultsOf(
  { deployment }: Site,
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

/** Copies what is new since the last time, and finds it intact. */
export async function audit({ deployment }: Site): Promise<VerifiedEvidence['report']> {
  const { folders, configOf, ociAs } = deployment
  const provider = { namespace: PROVIDER.namespace, governance: 'governance', evidence: 'evidence-verifier' }
  const consumer = { namespace: CONSUMER.namespace, evidence: 'evidence-worker', results: 'results' }
  const store = ociAs('auditor').objectStore()
  await exportEvidence({ provider, consumer }, { out: folders.evidence }, { store })
  const { exit, report } = await verifyEvidence(folders.evidence, {
    trust: configOf('trust'),
    simulation: true,
  })
  assert.equal(report.verdict, 'intact', JSON.stringify(report.findings))
  assert.equal(exit, 0)
  return report
}

/** The same by the command line: exit 0, and 1 for whoever does not accept a simulated machine. */
export async function auditByCommand({ deployment }: Site): Promise<void> {
  const { folders, configOf, tryCommand } = deployment
  const parameters = ['evidence', 'verify', folders.evidence, '--trust', configOf('trust')]
  const [accepted, refused] = await Promise.all([
    tryCommand([...parameters, '--simulation']),
    tryCommand(parameters),
  ])
  assert.equal(accepted.exit, 0, accepted.stdout)
  assert.equal(refused.exit, 1, refused.stdout)
}
