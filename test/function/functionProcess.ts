/** The ingest function as Fn runs it: a process, Fn's kit on a unix socket, a resource principal in files. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { callFunction } from '#lab/emulator/functions/call.ts'
import {
  CONSUMER_NAMESPACE,
  id,
  PROVIDER_NAMESPACE,
  REGION,
  temporaryFolder,
} from '../lab/emulator/testEmulator.ts'

const MAIN = fileURLToPath(new URL('../../src/function/main.ts', import.meta.url))

export function configOf(endpoint: string): object {
  return {
    oci: { principal: { kind: 'resource' }, endpoints: { objectStorage: endpoint, streaming: endpoint } },
    allowed: [{ namespace: PROVIDER_NAMESPACE, bucket: 'outbox' }],
    jobsStreamId: id('stream', 'jobs'),
    records: { namespace: CONSUMER_NAMESPACE, bucket: 'ingest' },
    simulation: true,
    logLevel: 'info',
  }
}

export type FunctionProcess = {
  /** Log lines so far; all of them after `stop` has resolved. */
  readonly log: readonly Record<string, unknown>[]
  /** Its whole output, including the kit's. */
  readonly text: () => string
  readonly call: (body: Uint8Array | string) => Promise<{ readonly status: number; readonly body: unknown }>
  /** Sends SIGTERM. Resolves with the exit code. */
  readonly stop: () => Promise<number | null>
  readonly kill: () => Promise<void>
}

export async function startFunction(
  t: TestContext,
  socket: string,
  emulator: Pick<Emulator, 'functions'>,
  config: object,
): Promise<FunctionProcess> {
  const files = emulator.functions[id('fnfunc', 'ingest')]
  const configFile = join(await temporaryFolder(t), 'function.json')
  await writeFile(configFile, JSON.stringify(config))
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      FN_FORMAT: 'http-stream',
      FN_LISTENER: `unix:${socket}`,
      CW_CONFIG: configFile,
      OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
      OCI_RESOURCE_PRINCIPAL_RPST: files?.rpst,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: files?.privatePem,
      OCI_RESOURCE_PRINCIPAL_REGION: REGION,
    },
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const log: Record<string, unknown>[] = []
  let text = ''
  const ready = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => {
      text += `${line}\n`
      if (!line.startsWith('{')) return
      const entry = JSON.parse(line)
      log.push(entry)
      if (entry.msg === 'ready') ready.resolve()
    })
  ended.then(([code]) => ready.reject(new Error(`the function ended with ${code}:\n${text}`)))
  await ready.promise
  return {
    log,
    text: () => text,
    call: async (body) => {
      const answer = await callFunction({ socket, timeoutSeconds: 30 }, Buffer.from(body), {
        contentType: 'application/json',
        now: Date.now(),
        signal: new AbortController().signal,
      })
      return { status: answer.status, body: JSON.parse(answer.body.toString()) }
    },
    stop: async () => {
      child.kill('SIGTERM')
      return (await ended)[0]
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
