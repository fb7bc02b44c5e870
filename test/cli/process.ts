/** Runs the command line as a process: arguments in; stdout, stderr and an exit code out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import {
  apiKey,
  CONSUMER,
  CONSUMER_NAMESPACE,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  REGION,
} from '../lab/emulator/testEmulator.ts'

const mainOf = (program: string) => fileURLToPath(new URL(`../../src/${program}/main.ts`, import.meta.url))

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export function cli(...parameters: readonly string[]): Promise<Outcome> {
  return startCli(...parameters).ended
}

export function startCli(...parameters: readonly string[]) {
  return startMain('cli', ...parameters)
}

/** A program itself, not by way of the command line. */
export function runMain(program: string, ...parameters: readonly string[]): Promise<Outcome> {
  return startMain(program, ...parameters).ended
}

function startMain(program: string, ...parameters: readonly string[]) {
  const child = spawn(process.execPath, [mainOf(program), ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended: Promise<Outcome> = Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]).then(([stdout, stderr, [code]]) => ({ code, stdout, stderr }))
  return { child, ended }
}

const USERS = { sealer: PROVIDER, auditor: PROVIDER, researcher: CONSUMER } as const

/** Writes the configuration files of sealer, researcher and auditor; returns their paths. */
export async function writeConfigs(
  folder: string,
  emulator: Emulator,
  providerRoot: unknown,
): Promise<{ readonly seal: string; readonly open: string; readonly audit: string }> {
  const keyFile = join(folder, 'api.pem')
  await writeFile(keyFile, apiKey.privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const profiles = Object.entries(USERS).map(
    ([name, tenancy]) =>
      `[${name}]\nuser=${id('user', name)}\nfingerprint=${fingerprintOf(apiKey.publicKey)}\ntenancy=${tenancy}\nregion=${REGION}\nkey_file=${keyFile}\n`,
  )
  const path = join(folder, 'oci.ini')
  await writeFile(path, profiles.join('\n'))
  const oci = (profile: keyof typeof USERS) => ({
    principal: { kind: 'config-file', path, profile },
    endpoints: {
      objectStorage: emulator.endpoint,
      vaultCrypto: emulator.endpoint,
      vaultManagement: emulator.endpoint,
    },
  })
  const provider = { namespace: PROVIDER_NAMESPACE, governance: 'governance', evidence: 'evidence-verifier' }
  const configs = {
    seal: {
      tenant: 'hospital',
      dataset: 'cohort-a',
      keyId: id('key', 'dataset'),
      sealingKey: { kind: 'vault', keyId: id('key', 'sealing') },
      oci: oci('sealer'),
      namespace: PROVIDER_NAMESPACE,
      buckets: { outbox: 'outbox', governance: 'governance' },
      simulation: true,
    },
    open: {
      trust: { providerRoot, simulation: true },
      oci: oci('researcher'),
      namespace: CONSUMER_NAMESPACE,
      bucket: 'results',
      provider,
    },
    audit: {
      oci: oci('auditor'),
      provider,
      consumer: { namespace: CONSUMER_NAMESPACE, evidence: 'evidence-worker', results: 'results' },
      simulation: true,
    },
  }
  const written = await Promise.all(
    Object.entries(configs).map(async ([name, config]) => {
      const file = join(folder, `${name}.json`)
      await writeFile(file, JSON.stringify(config))
      return [name, file] as const
    }),
  )
  // The keys are those of `configs`.
  return Object.fromEntries(written) as { seal: string; open: string; audit: string }
}
