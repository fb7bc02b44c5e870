/** The consent lists of a dataset, as those see them who hold its Vault key. */
import { randomBytes } from 'node:crypto'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { systemClock } from '#adapters/system/clock.ts'
import type { Bench } from '#cli/policy/governance.ts'
import { fromBase64url, sameBytes, sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Consent } from '#core/policy/consent.ts'
import type { ConsentUnion } from '#core/policy/consentUnion.ts'
import type { Candidates, Governance } from '#core/policy/inForce.ts'
import type { Dataset } from '#core/policy/policy.ts'
import { listAssociatedData, listName, openList, sealList } from '#core/sealed/consentList.ts'

export type DatasetConsent = {
  readonly dataset: string
  /** Of the policy in force. */
  readonly policy: NonNullable<Dataset['consent']>
  readonly lists: ConsentUnion
}

/** Throws `policy.unsuitable` if the policy in force gives the dataset no consent keys. */
export function consentOf(dataset: string, { policy, consent }: Governance): DatasetConsent {
  const content = policy?.document?.content
  const found = content?.datasets.find(({ id }) => id === dataset)
  const lists = consent.get(dataset)
  if (found?.consent && lists !== undefined) return { dataset, policy: found.consent, lists }
  const why =
    content === undefined
      ? policy?.problem || 'no policy is in force'
      : found === undefined
        ? `the policy in force has no dataset ${dataset}`
        : `the policy in force gives the dataset ${dataset} no consent keys (datasets[].consent)`
  throw new CodedError('policy.unsuitable', why)
}

/** Everyone in the lists in force. Throws `consent.unopened`, and what storage and Vault throw. */
export async function readPatients({ lists }: DatasetConsent, bench: Bench): Promise<ReadonlySet<string>> {
  const { cipher } = loadSegmentCipher()
  const patients = new Set<string>()
  for (const { dataset, list } of lists.inForce) {
    const identity = { tenant: bench.config.tenant, dataset, id: list.id }
    const name = listName(dataset, fromBase64url(list.digest))
    const sealed = await bench.read(name, list.bytes)
    if (!sameBytes(sha256(sealed), fromBase64url(list.digest)))
      throw new CodedError('consent.unopened', `${name} has other content than its name says`)
    const { keyId, wrappedDek } = list.custody
    const wrapped = fromBase64url(wrappedDek)
    const dek = await bench.services.keyVault().decrypt(keyId, wrapped, listAssociatedData(identity))
    try {
      const text = await openList(sealed, { identity, dek, cipher })
      for (const id of text.toString('latin1').split('\n')) if (id !== '') patients.add(id)
    } finally {
      dek.fill(0)
    }
  }
  return patients
}

/**
 * Seals and stores a list, and returns the document that will name it. Until that is published the object is
 * nothing: no grant names it.
 */
export async function newList(
  patients: Iterable<string>,
  { dataset, policy }: DatasetConsent,
  bench: Bench,
  { consents }: Candidates,
  replaces: readonly string[] = [],
): Promise<Consent> {
  const { deployment } = bench.pin
  const [keyId] = policy.keyIds
  if (keyId === undefined) throw new CodedError('internal.fault', 'a policy without a Vault key was loaded')
  const identity = { tenant: deployment.tenant, dataset, id: toHex(randomBytes(16)) }
  const {
    plaintext: dek,
    wrapped,
    keyVersionId,
  } = await bench.services.keyVault().generateDataKey(keyId, listAssociatedData(identity))
  try {
    const sealed = await sealList(patients, { identity, dek, cipher: loadSegmentCipher().cipher })
    const digest = sha256(sealed)
    await bench.store(listName(dataset, digest), sealed)
    const known = consents.filter(({ content }) => content?.dataset === dataset).map(({ seq }) => seq)
    return {
      v: 1,
      seq: Math.max(0, ...known) + 1,
      ...deployment,
      issuedAt: systemClock.now(),
      dataset,
      replaces: [...replaces],
      list: {
        id: identity.id,
        digest: toBase64url(digest),
        bytes: sealed.byteLength,
        custody: { keyId, keyVersionId, wrappedDek: toBase64url(wrapped) },
      },
    }
  } finally {
    dek.fill(0)
  }
}
