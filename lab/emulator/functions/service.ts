/** Functions: invocation over HTTP, and the files of each function's resource principal. */
import { createPublicKey } from 'node:crypto'
import { join } from 'node:path'
import { replaceFile } from '#adapters/system/files.ts'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { newRsaKey } from '#lab/emulator/identity/certificate.ts'
import type { Principals } from '#lab/emulator/identity/principals.ts'
import type { Sessions } from '#lab/emulator/identity/sessions.ts'
import {
  type Access,
  notAuthorizedOrNotFound,
  OciError,
  type Service,
  type ServiceRequest,
} from '#lab/emulator/service.ts'
import { readOrCreate } from '#lab/readOrCreate.ts'
import { callFunction } from './call.ts'

const MAX_REQUEST_BYTES = 6 * 1024 * 1024

export function createFunctionsService(config: EmulatorConfig, now: () => number): Service {
  const find = (request: ServiceRequest): EmulatorConfig['functions'][number] => {
    const found = config.functions.find(({ id }) => id === request.params['functionId'])
    if (found === undefined) throw notAuthorizedOrNotFound()
    return found
  }
  const access = (request: ServiceRequest): Access => {
    const { id, compartmentId } = find(request)
    return { permissions: ['FN_INVOCATION'], compartmentId, variables: { 'target.function.id': id } }
  }
  return {
    name: 'functions',
    routes: [
      {
        method: 'POST',
        pattern: '/20181201/functions/:functionId/actions/invoke',
        body: 'bytes',
        maxBodyBytes: MAX_REQUEST_BYTES,
        // InvokeFunction streams its body, so the SDKs do not sign it.
        bodyUnsigned: true,
        access,
        handle: async (request) => {
          const contentType = request.headers['content-type'] ?? 'application/octet-stream'
          const options = { contentType, now: now(), signal: request.signal }
          const answer = await callFunction(find(request), request.body, options).catch(() => {
            throw new OciError(504, 'FunctionInvokeTimeout', 'the function did not answer')
          })
          if (answer.status < 200 || answer.status > 299)
            throw new OciError(502, 'FunctionInvokeExecutionFailed', 'the function failed')
          return {
            status: 200,
            headers: {
              'content-type': answer.headers['content-type'] ?? 'application/octet-stream',
              'fn-call-id': answer.callId,
            },
            bytes: answer.body,
          }
        },
      },
    ],
    flushed: async () => undefined,
    close: async () => undefined,
  }
}

/** Absolute paths for `OCI_RESOURCE_PRINCIPAL_RPST` and `OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM`. */
export type ResourcePrincipal = { readonly rpst: string; readonly privatePem: string }

/**
 * Writes the token and the key of every function (resource principal 2.2), and renews the token after half
 * its lifetime. The key stays the same, so that a reader between two writes never sees a token for another
 * key.
 */
export async function provideResourcePrincipals(parts: {
  readonly config: EmulatorConfig
  readonly folder: string
  readonly principals: Principals
  readonly sessions: Sessions
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}): Promise<{ readonly paths: Readonly<Record<string, ResourcePrincipal>>; readonly close: () => void }> {
  const { config, folder, principals, sessions, now, onFault } = parts
  const paths: Record<string, ResourcePrincipal> = {}
  for (const { id, name } of config.functions)
    paths[id] = { rpst: join(folder, name, 'rpst'), privatePem: join(folder, name, 'private.pem') }

  const write = async (): Promise<void> => {
    for (const [id, { rpst, privatePem }] of Object.entries(paths)) {
      const principal = principals.function(id)
      if (principal === undefined) continue
      const key = createPublicKey(await readOrCreate(privatePem, newRsaKey))
      await replaceFile(rpst, await sessions.issue(principal, key, now()))
    }
  }
  await write()
  const timer = setInterval(() => void write().catch(onFault), (config.sessionSeconds * 1000) / 2)
  timer.unref()
  return { paths, close: () => clearInterval(timer) }
}
