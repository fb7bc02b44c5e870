/**
 * Who has withdrawn, by the consent lists that a grant names. Nothing of an object is read before all lists
 * are: a list that is missing, or does not open, ends the job for now.
 */
import PQueue from 'p-queue'
import { fromBase64url, sameBytes, sha256 } from '#core/bytes.ts'
import { CodedError, errorRow } from '#core/errors.ts'
import { PatientIds } from '#core/fhir/patientIds.ts'
import type { GrantedConsent } from '#core/release/grant.ts'
import { listName, openList } from '#core/sealed/consentList.ts'
import type { GrantedJob } from './attester.ts'
import type { Boot } from './boot.ts'

type ListBoot = Pick<Boot, 'objects' | 'cipher' | 'memory'>

const READS_AT_ONCE = 8

/**
 * Null if the dataset has no consent lists. The caller wipes the ids. Throws `consent.unopened`, and what
 * storage throws of itself.
 */
export async function readWithdrawn(
  granted: GrantedJob,
  { objects, cipher, memory }: ListBoot,
  signal: AbortSignal,
): Promise<PatientIds | null> {
  const { consent, tenant, dataset } = granted.accepted.grant
  if (consent === null) return null
  const reads = new PQueue({ concurrency: READS_AT_ONCE })
  const sealed = await reads.addAll(
    consent.lists.map((list) => () => readSealed(consent, dataset, list, objects, signal)),
  )
  const texts: Buffer[] = []
  for (const [index, { id }] of consent.lists.entries()) {
    const dek = granted.openListKey(index)
    try {
      const identity = { tenant, dataset, id }
      texts.push(await openList(sealed[index] ?? Buffer.alloc(0), { identity, dek, cipher }))
    } catch (error) {
      for (const text of texts) text.fill(0)
      throw error
    } finally {
      memory.free(dek)
    }
  }
  return new PatientIds(texts)
}

async function readSealed(
  { namespace, bucket }: GrantedConsent,
  dataset: string,
  { digest, bytes }: GrantedConsent['lists'][number],
  objects: ListBoot['objects'],
  signal: AbortSignal,
): Promise<Buffer> {
  const name = listName(dataset, fromBase64url(digest))
  const sealed = await objects.readAll({ namespace, bucket, name }, bytes, signal).catch((error) => {
    // About the list, not about the job's object, which waits for it.
    if (!(error instanceof CodedError) || errorRow(error.code).disposition === 'retry') throw error
    throw new CodedError('consent.unopened', `${name}: ${error.message}`, { cause: error })
  })
  if (sealed.byteLength === bytes && sameBytes(sha256(sealed), fromBase64url(digest))) return sealed
  throw new CodedError('consent.unopened', `${name} has other content than the grant names`)
}
