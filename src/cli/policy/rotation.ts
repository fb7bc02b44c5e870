/**
 * The next policy with other keys: a pure function of the policy in force. Keys that verify or unwrap what
 * exists already are added beside the old ones, which `drop` ends one policy later; of the others there is one.
 */
import { CodedError } from '#core/errors.ts'
import { type SigningJwk, thumbprint } from '#core/jwk.ts'
import type { QuorumRoot } from '#core/jws.ts'
import { personsOf } from '#core/policy/document.ts'
import type { Candidates, Governance } from '#core/policy/inForce.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import { uniteRevocations } from '#core/policy/revocationUnion.ts'
import { listText } from './words.ts'

type Client = Policy['clients'][number]

export type Rotation = {
  /** Undefined: the only one that the policy has. */
  readonly dataset: string | undefined
  readonly client: string | undefined
  readonly sealingKey: SigningJwk | undefined
  readonly keyId: string | undefined
  readonly idKey: Dataset['idKey'] | undefined
  /** Added to those that may withdraw patients. */
  readonly consentKey: SigningJwk | undefined
  /** The Vault key of later consent lists; the ones before keep theirs. */
  readonly consentVaultKey: string | undefined
  readonly clientKey: Client['keys'][number] | undefined
  /** Of every permission of the client. */
  readonly recipient: Permission['recipient'] | undefined
  readonly auditKey: Policy['auditKey'] | undefined
  /** Thumbprints of sealing, consent and client keys, OCIDs of Vault keys. */
  readonly drop: readonly string[]
  /** Persons of the root. */
  readonly exclude: readonly string[]
}

/** Throws `usage.invalid` for what the policy or the root does not have. */
export function rotated(policy: Policy, rotation: Rotation, root: QuorumRoot): Policy {
  const { sealingKey, keyId, idKey, consentKey, consentVaultKey } = rotation
  const { clientKey, recipient, auditKey, drop, exclude } = rotation
  const ofDataset = [sealingKey, keyId, idKey, consentKey, consentVaultKey].some((key) => key !== undefined)
  const ofClient = [clientKey, recipient].some((key) => key !== undefined)
  const dataset = ofDataset ? theOne('--dataset', policy.datasets, rotation.dataset) : undefined
  const client = ofClient ? theOne('--client', policy.clients, rotation.client) : undefined
  const added: Policy = {
    ...policy,
    auditKey: auditKey ?? policy.auditKey,
    excludedSigners: [...new Set([...policy.excludedSigners, ...thumbprintsOf(exclude, root)])],
    clients: policy.clients.map((each) =>
      each.id === client && clientKey !== undefined ? { ...each, keys: [...each.keys, clientKey] } : each,
    ),
    datasets: policy.datasets.map((each) => ({
      ...each,
      ...(each.id === dataset && {
        sealingKeys: [...each.sealingKeys, ...(sealingKey === undefined ? [] : [sealingKey])],
        keyIds: [...each.keyIds, ...(keyId === undefined ? [] : [keyId])],
        idKey: idKey ?? each.idKey,
        consent: withConsent(each.consent, consentKey, consentVaultKey),
      }),
      permissions: each.permissions.map((permission) =>
        permission.client === client && recipient !== undefined ? { ...permission, recipient } : permission,
      ),
    })),
  }
  return drop.reduce(without, added)
}

/** The new Vault key comes first: lists are sealed under that one. */
function withConsent(
  before: Dataset['consent'],
  key: SigningJwk | undefined,
  keyId: string | undefined,
): Dataset['consent'] {
  if (key === undefined && keyId === undefined) return before
  const { keys, keyIds } = before ?? { keys: [], keyIds: [] }
  return {
    keys: [...keys, ...(key === undefined ? [] : [key])],
    keyIds: [...(keyId === undefined ? [] : [keyId]), ...keyIds.filter((id) => id !== keyId)],
  }
}

/** Throws `usage.invalid` unless a member has the id, or there is only one. */
function theOne(option: string, members: readonly { readonly id: string }[], id: string | undefined): string {
  const ids = members.map((member) => member.id)
  const [only = ''] = ids
  if (id === undefined && ids.length === 1) return only
  if (id !== undefined && ids.includes(id)) return id
  throw usage(option, id, `one of ${listText(ids)}`)
}

function thumbprintsOf(persons: readonly string[], { keys }: QuorumRoot): readonly string[] {
  return persons.flatMap((person) => {
    const own = keys.filter((key) => key.person === person).map(({ jwk }) => thumbprint(jwk))
    if (own.length > 0) return own
    throw usage('--exclude-signer', person, `one of ${listText(keys.map((key) => key.person))}`)
  })
}

/** Without the key. Throws `usage.invalid` if nothing has it. A last key that goes breaks the form of a policy. */
function without(policy: Policy, key: string): Policy {
  const keep = (jwk: SigningJwk) => thumbprint(jwk) !== key
  const next: Policy = {
    ...policy,
    clients: policy.clients.map((client) => ({ ...client, keys: client.keys.filter(keep) })),
    datasets: policy.datasets.map((dataset) => ({
      ...dataset,
      sealingKeys: dataset.sealingKeys.filter(keep),
      keyIds: dataset.keyIds.filter((id) => id !== key),
      consent: dataset.consent && {
        keys: dataset.consent.keys.filter(keep),
        keyIds: dataset.consent.keyIds.filter((id) => id !== key),
      },
    })),
  }
  if (keysIn(next) === keysIn(policy)) throw usage('--drop', key, 'a key of a client or of a dataset')
  return next
}

function keysIn({ clients, datasets }: Policy): number {
  return (
    clients.flatMap(({ keys }) => keys).length +
    datasets.flatMap(({ sealingKeys, keyIds, consent }) => [
      ...sealingKeys,
      ...keyIds,
      ...(consent?.keys ?? []),
      ...(consent?.keyIds ?? []),
    ]).length
  )
}

/** What an excluded signer takes along: the documents that have no quorum without him. */
export function lostWith(
  excludedSigners: readonly string[],
  candidates: Pick<Candidates, 'revocations'>,
  inForce: Governance,
  root: QuorumRoot,
): readonly string[] {
  const excluded = new Set(excludedSigners)
  const { document } = inForce.verifierKeys ?? {}
  const ours = candidates.revocations.filter(({ digest }) =>
    inForce.revocation.lists.some((list) => list.digest === digest),
  )
  const after = uniteRevocations(ours, root, excluded)
  const fields = ['permissions', 'referenceValues', 'boots', 'objects'] as const
  const gained = fields.flatMap((field) =>
    after[field].filter((id) => !inForce.revocation[field].includes(id)),
  )
  const lost = fields.flatMap((field) => inForce.revocation[field].filter((id) => !after[field].includes(id)))
  return [
    ...(document !== undefined && personsOf(document, excluded) < root.threshold
      ? [`verifier keys ${document.seq} end with it, and every release: publish others first`]
      : []),
    ...(gained.length > 0 ? [`revoked again, until others restore it: ${listText(gained)}`] : []),
    ...(lost.length > 0 ? [`no longer revoked, unless others revoke it first: ${listText(lost)}`] : []),
  ]
}

function usage(option: string, found: string | undefined, expected: string): CodedError {
  return new CodedError(
    'usage.invalid',
    `${option} is ${JSON.stringify(found ?? null)}, expected ${expected}`,
  )
}
