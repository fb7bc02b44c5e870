/** Policies that follow the first one, as the hospital's two signers publish them. */
import { join } from 'node:path'
import { keySigner, parseGeneral } from '#core/jws.ts'
import { POLICY, type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { publish } from '#lab/demo/governance.ts'
import { readPrivateKey } from '#lab/demo/identities.ts'
import { PROVIDER, SIGNERS } from '#lab/demo/names.ts'
import { nameOfDocument } from '../../governanceDocuments.ts'
import { insist, type Site } from '../site.ts'

const GOVERNANCE = { namespace: PROVIDER.namespace, bucket: 'governance' }

/** Publishes policy `seq`: the one before it, with these changes. */
export async function publishPolicy(site: Site, seq: number, changes: Partial<Policy>): Promise<void> {
  const { ociAs, folders } = site.system.deployment
  const store = ociAs('governor').objectStore()
  const before = await readPolicy(site, seq - 1)
  const signers = await Promise.all(
    SIGNERS.map(async (person) => keySigner(await readPrivateKey(join(folders.keys, `${person}.pem`)))),
  )
  await insist(() => publish(store, POLICY, { ...before, seq, ...changes }, signers))
}

/** Policy `seq`, unverified. */
export async function readPolicy({ system }: Site, seq: number): Promise<Policy> {
  const store = system.deployment.ociAs('governor').objectStore()
  const name = await insist(() => nameOfDocument(store, GOVERNANCE, 'policy', seq))
  const bytes = await insist(() => store.readAll({ ...GOVERNANCE, name }, 2 * PolicyFormat.maxBytes))
  const { payload } = parseGeneral(bytes, 'policy.invalid')
  return PolicyFormat.decode(Buffer.from(payload, 'base64url'))
}
