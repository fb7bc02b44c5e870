/** The commands `seal` and `upload`. */
import type { Command } from 'commander'
import type { SealedFile } from '#adapters/sealed/sealFile.ts'
import type { UploadedObject } from '#adapters/sealed/upload.ts'
import { SealConfig as Schema, type SealConfig } from '#cli/config.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { renderSealed, renderUploaded } from './text.ts'

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
  readonly upload?: boolean
  readonly json?: boolean
}

export function addSealCommands(program: Command, context: CommandContext): void {
  program
    .command('seal')
    .summary('encrypt a file on this machine for one dataset')
    .description(
      'Encrypts FILE on this machine under a data key from your Vault, signs its description, and writes the sealed object to a new file. Without --upload only the request for the key leaves this machine.',
    )
    .argument('<file>', 'the content, of any size')
    .requiredOption('--config <file>', 'tenant, dataset, keys and buckets (below)')
    .option('--out <file>', 'the sealed object, a new file (default: FILE.sealed)')
    .option('--object <name>', 'its name in the bucket, of a-z, 0-9 and / _ . - (default: a random id)')
    .option('--content-type <type>', 'media type of FILE (default: application/fhir+ndjson)')
    .option('--base-url <url>', 'FHIR base of the server that FILE comes from, https (default: none)')
    .option('--upload', 'upload the object too')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker seal export.ndjson --config seal.json --upload
${CONFIG_HELP}

Exit codes
  0   sealed
  2   FILE cannot be read or changed during sealing, or the output exists
  75  the Vault does not answer: try again
  78  the configuration must be changed first`,
    )
    .action((file: string, options: SealArguments) => seal(file, options, context))

  program
    .command('upload')
    .summary('put a sealed object into the outbox and record it')
    .description(
      'Puts a sealed object into the outbox bucket and writes its signed seal record to the governance bucket. It overwrites nothing. After an interruption run it again: existing objects are compared, missing ones are added.',
    )
    .argument('<file>', 'a sealed object that `seal` wrote')
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

async function seal(file: string, options: SealArguments, context: CommandContext): Promise<void> {
  const { terminal } = context
  const [{ sealFile }, { loadSegmentCipher }, { systemClock }] = await Promise.all([
    import('#adapters/sealed/sealFile.ts'),
    import('#adapters/aead/native.ts'),
    import('#adapters/system/clock.ts'),
  ])
  const { config, services, signer } = await openSealing(options.config)
  try {
    const sealed = await sealFile(
      config,
      {
        file,
        out: options.out ?? `${file}.sealed`,
        object: options.object,
        contentType: options.contentType,
        baseUrl: options.baseUrl,
      },
      {
        vault: services.keyVault(),
        signer,
        cipher: loadSegmentCipher().cipher,
        clock: systemClock,
        progress: terminal.progress('sealing'),
        signal: terminal.interruption(),
      },
    )
    if (options.upload !== true) {
      printSealed(sealed, options, context)
      return
    }
    const uploaded = await put(sealed.file, { config, services, signer }, context)
    if (options.json === true) terminal.printJson({ ...sealed, uploaded })
    else terminal.print(renderSealed(sealed) + renderUploaded(uploaded))
  } finally {
    services.close()
  }
}

async function upload(file: string, options: SealArguments, context: CommandContext): Promise<void> {
  const sealing = await openSealing(options.config)
  try {
    const uploaded = await put(file, sealing, context)
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
  file: string,
  { config, services, signer }: Sealing,
  { terminal }: CommandContext,
): Promise<UploadedObject> {
  const [{ uploadSealed }, { systemClock }] = await Promise.all([
    import('#adapters/sealed/upload.ts'),
    import('#adapters/system/clock.ts'),
  ])
  return await uploadSealed(config, file, {
    store: services.objectStore(),
    signer,
    clock: systemClock,
    progress: terminal.progress('uploading'),
    signal: terminal.interruption(),
  })
}

function printSealed(sealed: SealedFile, { json }: SealArguments, { terminal }: CommandContext): void {
  if (json === true) terminal.printJson(sealed)
  else terminal.print(renderSealed(sealed))
}
