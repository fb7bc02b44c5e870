/** `policy sign`, `publish`, `verifier-keys` and `key`: from options to work and output. */
import { createInterface } from 'node:readline/promises'
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { parseConfig } from '#adapters/system/configFile.ts'
import { createFile, readFileUpTo, replaceFile } from '#adapters/system/files.ts'
import { openServices } from '#cli/services.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { exportJwk, P384Jwk, SigningJwk, thumbprint } from '#core/jwk.ts'
import type { VerifierKeys } from '#core/policy/verifierKeys.ts'
import { readDocumentFile } from './documents.ts'
import { atBench, type Bench, openKey } from './governance.ts'
import { daysOf, readKey } from './initOptions.ts'
import { addSignature, excludedIn, expectSuitable, publishDocument, standingOf } from './signing.ts'

const DAY = 86_400
const MAX_CONFIG_BYTES = 1024 * 1024
const MAX_WAIT_SECONDS = 3600

type Common = { readonly config: string; readonly json?: boolean }
type SignOptions = Common & { readonly key: string; readonly out?: string; readonly yes?: boolean }
type KeysOptions = Common & {
  readonly grantCa: string
  readonly freshnessKey: string
  readonly days: string
  readonly out: string
}

export function createSigningActions({ terminal }: CommandContext) {
  const tell = (json: boolean | undefined, value: object, text: () => string) => {
    if (json === true) terminal.printJson(value)
    else terminal.print(text())
  }
  return {
    sign: (file: string, options: SignOptions) =>
      atBench({ config: options.config, command: 'policy sign' }, async (bench) => {
        const document = await readDocumentFile(file, bench.config)
        const { inForce } = await bench.look()
        expectSuitable(document, bench, inForce)
        const excluded = excludedIn(inForce)
        const signer = await openKey(options.key, bench, excluded)
        const { what, seq, name } = document
        if (options.json !== true) terminal.print(`${document.text(inForce)}\n`)
        if (options.yes !== true) await expectAgreement(`Sign ${what} ${seq} as ${signer.person}?`)
        const signed = await addSignature(document, signer)
        const out = options.out ?? (document.signed === undefined ? signedName(file) : file)
        const bytes = utf8(`${JSON.stringify(signed)}\n`)
        if (out === file && document.signed !== undefined) await replaceFile(out, bytes)
        else await createFile(out, [bytes], { mode: 0o644 })
        const { persons, missing } = standingOf(document, signed, excluded)
        tell(options.json, { file: out, what, seq, name, persons, missing }, () =>
          [
            `signed    ${name}`,
            `by        ${persons.join(' and ')}`,
            `in        ${out}`,
            missing === 0
              ? `next      policy publish ${out}`
              : `next      ${missing} more of the signers: policy sign ${out}; the same name means the same document`,
            '',
          ].join('\n'),
        )
      }),

    publish: (file: string, options: Common & { readonly wait: string }) =>
      atBench({ config: options.config, command: 'policy publish' }, async (bench) => {
        const document = await readDocumentFile(file, bench.config)
        const published = await publishDocument(document, bench, secondsOf(options.wait))
        warnUnstated(published.stated, bench, terminal.warn)
        const { what, seq } = document
        tell(
          options.json,
          { what, seq, ...published },
          () => `published  ${published.name}: ${what} ${seq} is in force\n`,
        )
      }),

    verifierKeys: (options: KeysOptions) =>
      atBench({ config: options.config, command: 'policy verifier-keys' }, async (bench) => {
        const { inForce } = await bench.look()
        const { key } = await bench.services.keyVault().publicKey(options.grantCa)
        const keys = draftVerifierKeys(bench, {
          seq: (inForce.verifierKeys?.seq ?? 0) + 1,
          grantCa: { jwk: P384Jwk.parse(exportJwk(key)), keyId: options.grantCa },
          freshnessKey: await readKey(options.freshnessKey, SigningJwk),
          days: daysOf(options.days),
        })
        await createFile(options.out, [utf8(`${JSON.stringify(keys, undefined, 2)}\n`)], { mode: 0o644 })
        tell(
          options.json,
          { file: options.out, seq: keys.seq },
          () => `verifier keys ${keys.seq}  ${options.out}\nnext             policy sign ${options.out}\n`,
        )
      }),

    key: async (keyId: string, options: Common) => {
      const bytes = await readFileUpTo(options.config, MAX_CONFIG_BYTES, 'config.invalid')
      const { oci, simulation, trust } = parseConfig(bytes, options.config, WithVault, 'policy key')
      const services = openServices({ oci, simulation: simulation ?? trust?.simulation ?? false })
      try {
        const { key, keyVersionId } = await services.keyVault().publicKey(keyId)
        const jwk = exportJwk(key)
        // JSON in either case: it is for --recipient, --client-key and the root.
        if (options.json === true)
          terminal.printJson({ jwk, keyId, keyVersionId, thumbprint: thumbprint(jwk) })
        else terminal.print(`${JSON.stringify({ jwk, keyId, keyVersionId }, undefined, 2)}\n`)
      } finally {
        services.close()
      }
    },
  }
}

/** Any configuration that names a Vault: of a signer, of a researcher, of a sealing host. */
const WithVault = z.object({
  oci: OciConfig,
  simulation: z.boolean().optional(),
  trust: z.object({ simulation: z.boolean() }).optional(),
})

export function draftVerifierKeys(
  { pin }: Pick<Bench, 'pin'>,
  keys: Pick<VerifierKeys, 'seq' | 'grantCa' | 'freshnessKey'> & { readonly days: number },
): VerifierKeys {
  const { days, seq, ...named } = keys
  const issuedAt = systemClock.now()
  return { v: 1, seq, ...pin.deployment, issuedAt, exp: issuedAt + days * DAY, ...named }
}

/** Throws `signing.declined`, and `usage.invalid` if no one is there to be asked. */
export async function expectAgreement(question: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CodedError('usage.invalid', 'there is no terminal to ask on; add --yes if you agree')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // The end of the input, and Ctrl-C, are no answer.
    const answer = await lines.question(`${question} Type yes to sign: `).catch(() => '')
    if (answer.trim() !== 'yes') throw new CodedError('signing.declined', 'the answer was not yes')
  } finally {
    lines.close()
  }
}

export function warnUnstated(
  stated: boolean,
  { config }: Pick<Bench, 'config'>,
  warn: (text: string) => void,
): void {
  if (stated) return
  warn(
    config.buckets.freshness === undefined
      ? 'no bucket of freshness statements is configured: storage that hides this would not be found out'
      : 'no freshness statement names it yet: see that "freshness --every" runs',
  )
}

export function secondsOf(text: string): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : MAX_WAIT_SECONDS + 1
  if (seconds <= MAX_WAIT_SECONDS) return seconds
  throw new CodedError(
    'usage.invalid',
    `--wait is ${JSON.stringify(text)}, expected 0 to ${MAX_WAIT_SECONDS}`,
  )
}

function signedName(file: string): string {
  return `${file.replace(/\.json$/, '')}.signed.json`
}
