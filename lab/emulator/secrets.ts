/**
 * Secret retrieval: the bundles of the configured secrets. Contents are 32 random bytes, created on first
 * start.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { ocid } from '#core/fields.ts'
import { openJournal } from './journal.ts'
import { notAuthorizedOrNotFound, type Service, type ServiceContext, type ServiceRequest } from './service.ts'

const Entry = z.strictObject({
  secretId: ocid,
  version: z.int().min(1),
  createdAt: z.int(),
  /** Base64. */
  content: z.string(),
})
type Entry = z.output<typeof Entry>

export async function createSecretsService({ config, folder, now }: ServiceContext): Promise<Service> {
  const versions: Entry[] = []
  const journal = await openJournal({
    file: join(folder, 'secrets.journal'),
    schema: Entry,
    replay: (entry) => versions.push(entry),
    snapshot: () => versions,
  })
  const addVersion = (secretId: string): string => {
    const version = versions.filter((entry) => entry.secretId === secretId).length + 1
    const entry = { secretId, version, createdAt: now(), content: randomBytes(32).toString('base64') }
    journal.append(entry)
    versions.push(entry)
    return String(version)
  }
  for (const { id } of config.secrets) if (!versions.some(({ secretId }) => secretId === id)) addVersion(id)
  await journal.flushed()

  const secretOf = ({ params }: ServiceRequest) => {
    const secret = config.secrets.find(({ id }) => id === params['secretId'])
    if (secret === undefined) throw notAuthorizedOrNotFound()
    return secret
  }

  return {
    name: 'secrets',
    routes: [
      {
        method: 'GET',
        pattern: '/20190301/secretbundles/:secretId',
        body: 'none',
        access: (request) => {
          const { id, name, vaultId, compartmentId } = secretOf(request)
          const variables = { 'target.secret.id': id, 'target.secret.name': name, 'target.vault.id': vaultId }
          return { permissions: ['SECRET_BUNDLE_READ'], compartmentId, variables }
        },
        handle: (request) => {
          const all = versions.filter(({ secretId }) => secretId === secretOf(request).id)
          return { status: 200, json: describe(all, request.query) }
        },
      },
    ],
    rotate: (id) => (config.secrets.some((secret) => secret.id === id) ? addVersion(id) : undefined),
    flushed: journal.flushed,
    close: journal.close,
  }
}

/** Selects by version number or stage. The default is the current version. */
function describe(versions: readonly Entry[], query: URLSearchParams) {
  const current = versions.at(-1)
  const number = query.get('versionNumber')
  const stage = query.get('stage') ?? 'CURRENT'
  const found =
    number !== null
      ? versions.find(({ version }) => String(version) === number)
      : { CURRENT: current, LATEST: current, PREVIOUS: versions.at(-2) }[stage]
  if (found === undefined) throw notAuthorizedOrNotFound()
  return {
    secretId: found.secretId,
    versionNumber: found.version,
    timeCreated: new Date(found.createdAt).toISOString(),
    secretBundleContent: { contentType: 'BASE64', content: found.content },
    stages: found === current ? ['CURRENT', 'LATEST'] : found === versions.at(-2) ? ['PREVIOUS'] : [],
    metadata: {},
  }
}
