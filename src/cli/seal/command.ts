/** The commands `seal` and `upload`. */
import type { Command } from 'commander'
import type { UploadedObject } from '#adapters/sealed/upload.ts'
import type { UploadedSet } from '#adapters/sealed/uploadSet.ts'
import { SealConfig as Schema, type SealConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import { renderSealed, renderSealedSet, renderUploaded } from './text.ts'

const CONFIG_HELP = `
Configuration (JSON; it holds no secret)
  {
    "tenant": "hospital", "dataset": "cohort-a",
    "keyId": "ocid1.key.oc1…",
    "sealingKey": {"kind": "vault", "keyId": "ocid1.key.oc1…"},
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "SEALING"},
            "endpoints": {"vaultCrypto": "https://…", "vaultManagement": "https://…"}},
    "namespace": "hospital", "buckets": {"outbox": "outbox", "governance": "governance"},
    "simulation": false
  }
  keyId is the dataset's AES-256 key in your Vault. sealingKey signs: a P-384 key in the Vault, or
  {"kind": "file", "path": "/…/sealing.pem"} with an Ed25519 key.`

type SealArguments = {
  readonly config: string
  readonly out?: string
  readonly object?: string
  readonly contentType?: string
  readonly baseUrl?: string
  readonly set?: boolean
  readonly manifest?: string
  readonly upload?: boolean
  readonly json?: boolean
}

export function addSealCommands(program: Command, context: CommandContext): void {
  program
    .command('seal')
    .summary('encrypt a file, or a set of files, on this machine for one dataset')
    .description(
      'Encrypts FILE on this machine under a data key from your Vault, signs its description, and writes the sealed object to a new file. Without --upload only the request for the key leaves this machine. With --set up to 64 files become one set: decided, processed and released as a whole, one job and one result.',
    )
    .argument('<files...>', 'the content, of any size; with --set several files, or a folder of them')
    .requiredOption('--config <file>', 'tenant, dataset, keys and buckets (below)')
    .option('--set', 'seal the files as one set')
    .option(
      '--manifest <file>',
      "of a FHIR bulk export: the files of the set must be its output's, with its counts",
    )
    .option('--out <path>', 'the sealed object, a new file; of a set, a new folder (default: FILE.sealed)')
    .option(
      '--object <name>',
      'name in the bucket of the object or the set record, of a-z, 0-9 and / _ . - (default: a random id)',
    )
    .option('--content-type <type>', 'media type of FILE (default: application/fhir+ndjson)')
    .option('--base-url <url>', 'FHIR base of the server that FILE comes from, https (default: none)')
    .option('--upload', 'upload the object too')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker seal export.ndjson --config seal.json --upload
  confidential-worker seal --set export/ --manifest export/manifest.json --config seal.json --upload
${CONFIG_HELP}

Exit codes
  0   sealed
  2   a file cannot be read, changed during sealing, or is not as the manifest says, or the output exists
  75  the Vault does not answer: try again
  78  the configuration must be changed first`,
    )
    .action((files: readonly string[], options: SealArguments) => seal(files, options, context))

  program
    .command('upload')
    .summary('put a sealed object into the outbox and record it')
    .description(
      'Puts a sealed object, or each member of a sealed set, into the outbox bucket and writes its signed seal record to the governance bucket. The record of a set follows last. It overwrites nothing. After an interruption run it again: existing objects are compared, missing ones are added.',
    )
    .argument('<path>', 'a sealed object that `seal` wrote, or the folder of a sealed set')
    .requiredOption('--config <file>', 'the configuration that sealed it')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker upload export.ndjson.sealed --config seal.json
${CONFIG_HELP}

Exit codes
  0   uploaded
  1   this configuration's key did not seal FILE, or another object has the name
  2   FILE is not a whole sealed object
  75  try again
  78  the configuration must be changed first`,
    )
    .action((file: string, options: SealArguments) => upload(file, options, context))
}

async function seal(
  files: readonly string[],
  options: SealArguments,
  context: CommandContext,
): Promise<void> {
  const { terminal } = context
  const [file, ...others] = files
  if (file === undefined || (options.set !== true && (others.length > 0 || options.manifest !== undefined)))
    throw new CodedError('usage.invalid', 'several files, or a manifest, need --set')
  const [{ sealFile }, { sealSet }, { loadSegmentCipher }, { systemClock }] = await Promise.all([
    import('#adapters/sealed/sealFile.ts'),
    import('#adapters/sealed/sealSet.ts'),
    import('#adapters/aead/native.ts'),
    import('#adapters/system/clock.ts'),
  ])
  const sealing = await openSealing(options.config)
  const { config, services, signer } = sealing
  const { object, contentType, baseUrl, manifest } = options
  const out = options.out ?? `${file.replace(/\/+$/, '')}.sealed`
  const common = { out, object, contentType, baseUrl }
  try {
    const deps = {
      vault: services.keyVault(),
      signer,
      cipher: loadSegmentCipher().cipher,
      clock: systemClock,
      progress: terminal.progress('sealing'),
      signal: terminal.interruption(),
    }
    if (options.set === true) {
      const sealed = await sealSet(config, { ...common, paths: files, manifest }, deps)
      await finish(sealed, sealed.folder, renderSealedSet(sealed), sealing, options, context)
    } else {
      const sealed = await sealFile(config, { ...common, file }, deps)
      await finish(sealed, sealed.file, renderSealed(sealed), sealing, options, context)
    }
  } finally {
    services.close()
  }
}

/** Uploads what was sealed, if asked to, and prints both. */
async function finish(
  sealed: object,
  path: string,
  text: string,
  sealing: Sealing,
  { upload, json }: SealArguments,
  context: CommandContext,
): Promise<void> {
  const uploaded = upload === true ? await put(path, sealing, context) : undefined
  if (json === true) context.terminal.printJson(uploaded === undefined ? sealed : { ...sealed, uploaded })
  else context.terminal.print(text + (uploaded === undefined ? '' : renderUploaded(uploaded)))
}

async function upload(path: string, options: SealArguments, context: CommandContext): Promise<void> {
  const sealing = await openSealing(options.config)
  try {
    const uploaded = await put(path, sealing, context)
    if (options.json === true) context.terminal.printJson(uploaded)
    else context.terminal.print(renderUploaded(uploaded))
  } finally {
    sealing.services.close()
  }
}

type Sealing = Awaited<ReturnType<typeof openSealing>>

async function openSealing(path: string) {
  const [{ readConfig }, { openServices, openSigner }] = await Promise.all([
    import('#adapters/system/configFile.ts'),
    import('#cli/services.ts'),
  ])
  const config: SealConfig = await readConfig(path, Schema, 'seal')
  const services = openServices(config)
  try {
    return { config, services, signer: await openSigner(config.sealingKey, 'sealingKey', services.keyVault) }
  } catch (error) {
    services.close()
    throw error
  }
}

async function put(
  path: string,
  { config, services, signer }: Sealing,
  { terminal }: CommandContext,
): Promise<UploadedObject | UploadedSet> {
  const [{ uploadSealed }, { uploadSet }, { systemClock }, { stat }] = await Promise.all([
    import('#adapters/sealed/upload.ts'),
    import('#adapters/sealed/uploadSet.ts'),
    import('#adapters/system/clock.ts'),
    import('node:fs/promises'),
  ])
  const deps = {
    store: services.objectStore(),
    signer,
    clock: systemClock,
    progress: terminal.progress('uploading'),
    signal: terminal.interruption(),
  }
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return await (isFolder ? uploadSet(config, path, deps) : uploadSealed(config, path, deps))
}
