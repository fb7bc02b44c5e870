/**
 * The instance metadata service v2, one listener per instance. On OCI the link-local address identifies the
 * instance, here the port does. Leaf certificates are renewed after half their lifetime.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Principal } from '#lab/emulator/service.ts'
import type { InstanceCa, Leaf } from './instanceCa.ts'

const LEAF_RENEWAL_MS = 12 * 3_600_000
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host']

export function createMetadataService(parts: {
  readonly instance: Principal
  readonly name: string
  readonly region: string
  readonly ca: InstanceCa
  readonly now: () => number
}): Server {
  const { instance, name, region, ca, now } = parts
  let leaf: { readonly promise: Promise<Leaf>; readonly at: number } | undefined
  const currentLeaf = (): Promise<Leaf> => {
    const at = now()
    if (leaf === undefined || at - leaf.at > LEAF_RENEWAL_MS) leaf = { promise: ca.issue(instance, at), at }
    return leaf.promise
  }
  const facts = {
    id: instance.id,
    displayName: name,
    compartmentId: instance.compartmentId,
    tenantId: instance.tenancyId,
    region,
    canonicalRegionName: region,
    shape: 'VM.Standard.E5.Flex',
  }
  const paths: Readonly<Record<string, () => string | Promise<string>>> = {
    '/opc/v2/instance/': () => JSON.stringify(facts),
    '/opc/v2/identity/cert.pem': async () => (await currentLeaf()).certificate,
    '/opc/v2/identity/key.pem': async () => (await currentLeaf()).privateKey,
    '/opc/v2/identity/intermediate.pem': () => ca.certificate.toString(),
    ...Object.fromEntries(
      Object.entries(facts).map(([key, value]) => [`/opc/v2/instance/${key}`, () => value]),
    ),
  }

  return createServer((request, response) => {
    const refusal = refusalOf(request)
    const read = refusal === undefined ? paths[request.url ?? ''] : undefined
    if (read === undefined) {
      response.writeHead(refusal ?? 404).end()
      return
    }
    Promise.resolve(read()).then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain' }).end(text),
      () => response.writeHead(500).end(),
    )
  })
}

/** IMDSv2 refuses requests through a proxy, and requests without a header that browsers do not send. */
function refusalOf({ method, headers }: IncomingMessage): number | undefined {
  if (FORWARDED.some((header) => header in headers)) return 400
  if (headers.authorization !== 'Bearer Oracle') return 401
  return method === 'GET' ? undefined : 405
}
