/** How far something bad reached: the releases that it touched, their objects and their results. */
import { openCollection } from '#adapters/evidence/collection.ts'
import { auditFolder, type FolderReport } from '#adapters/evidence/folderAudit.ts'
import { fromBase64url, fromUtf8, sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { PolicyReport } from '#core/evidence/audit/report.ts'
import { RequestRecordFormat, recordedName } from '#core/evidence/record.ts'
import { peekCompact } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { parseReport } from '#core/snp/report.ts'
import { ReleaseBook, type ReleaseFacts } from './releases.ts'
import { type Subject, subjectOf } from './subject.ts'

/** A touched object. `sealId` is null if the folder has no seal record of it. */
type TouchedObject = {
  readonly headerDigest: string
  readonly dataset: string
  readonly sealId: string | null
}

export type Reach = {
  readonly subject: Subject
  readonly verdict: FolderReport['verdict']
  readonly releases: readonly ReleaseFacts[]
  readonly objects: readonly TouchedObject[]
  readonly results: readonly string[]
  /** Releases whose recorded request is not in the folder, so that no one can say on which chip they were. */
  readonly unknown: number
}

export async function reachOf(
  dir: string,
  text: string,
  options: { readonly trust?: string | undefined; readonly simulation: boolean },
): Promise<Reach> {
  const subject = subjectOf(text)
  const book = new ReleaseBook()
  const { verdict, policies } = await auditFolder(dir, {
    ...options,
    rows: 1,
    onEntry: (logged) => book.addEntry(logged),
    onRelease: (release) => book.addRelease(release),
  })
  const { governance, verifierLogs } = openCollection(dir)
  const seals = await sealIdsOf(governance)
  const chips =
    subject.kind === 'chip' ? await chipsOf(book.releases, verifierLogs) : new Map<string, string>()
  const releases = book.releases.filter((release) => isTouched(release, subject, { seals, chips, policies }))
  const all = releases.flatMap(({ headerDigests, dataset }) =>
    headerDigests.map((digest) => [digest, dataset] as const),
  )
  const objects = [...new Map(all)].map(([headerDigest, dataset]) => ({
    headerDigest,
    dataset,
    sealId: seals.get(headerDigest) ?? null,
  }))
  return {
    subject,
    verdict,
    releases,
    objects: subject.kind === 'seal' ? objects.filter(({ sealId }) => sealId === subject.id) : objects,
    results: [...new Set(releases.flatMap(({ resultId }) => resultId ?? []))],
    unknown:
      subject.kind === 'chip'
        ? book.releases.filter(({ requestDigest }) => !chips.has(requestDigest)).length
        : 0,
  }
}

type Known = {
  /** The sealId of an object, by the digest of its header. */
  readonly seals: ReadonlyMap<string, string>
  readonly chips: ReadonlyMap<string, string>
  readonly policies: readonly PolicyReport[]
}

function isTouched(release: ReleaseFacts, { kind, id }: Subject, { seals, chips, policies }: Known): boolean {
  switch (kind) {
    case 'measurement':
      return release.measurement === id
    case 'chip':
      return chips.get(release.requestDigest) === id
    case 'client':
      return release.client === id
    case 'boot':
      return release.boot === id
    case 'seal':
      return release.headerDigests.some((digest) => seals.get(digest) === id)
    case 'key':
      return keysOf(release, policies).includes(id)
  }
}

/** The Vault keys behind a release: of the dataset's objects, of its pseudonyms, and of the recipient. */
function keysOf(
  { policySeq, dataset, permission }: ReleaseFacts,
  policies: readonly PolicyReport[],
): readonly string[] {
  const { policy } = policies.find(({ seq }) => seq === policySeq) ?? {}
  const found = policy?.datasets.find(({ id }) => id === dataset)
  const recipients = found?.permissions
    .filter(({ id }) => id === permission)
    .map(({ recipient }) => recipient.keyId)
  return found === undefined ? [] : [...found.keyIds, found.idKey.keyId, ...(recipients ?? [])]
}

/**
 * The records of the sealing hosts. Their signatures are not verified here: a record only gives an object its
 * name, and a wrong one makes an object look untouched that is listed without a name.
 */
async function sealIdsOf(governance: ObjectReader): Promise<ReadonlyMap<string, string>> {
  const seals = new Map<string, string>()
  for await (const name of governance.list('seal/')) {
    const bytes = await governance.read(name, SealRecordFormat.maxBytes * 2 + 16_384)
    const record = bytes && recordOf(bytes)
    if (record !== undefined) seals.set(record.headerDigest, record.sealId)
  }
  return seals
}

function recordOf(bytes: Uint8Array) {
  try {
    return peekCompact(SealRecordFormat, fromUtf8(bytes), 'record.malformed').payload
  } catch (error) {
    if (error instanceof CodedError) return undefined
    throw error
  }
}

/** The CHIP_ID in each request's report, by the digest that the entry names. Absent and altered ones are left out. */
async function chipsOf(
  releases: readonly ReleaseFacts[],
  record: ObjectReader,
): Promise<ReadonlyMap<string, string>> {
  const chips = new Map<string, string>()
  for (const digest of new Set(releases.map(({ requestDigest }) => requestDigest))) {
    const bytes = await record.read(recordedName('request', digest), RequestRecordFormat.maxBytes)
    if (bytes === undefined || toBase64url(sha256(bytes)) !== digest) continue
    const { report } = RequestRecordFormat.decode(bytes)
    chips.set(digest, toHex(parseReport(fromBase64url(report)).chipId))
  }
  return chips
}
