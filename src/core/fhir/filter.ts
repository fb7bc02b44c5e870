/**
 * The minimum-necessary filter. It turns the bytes of one resource into the bytes that the grant lets
 * through, or into the reason for withholding it. A line that is not a FHIR resource is withheld and counted;
 * it does not end the object.
 */
import { CodedError } from '../errors.ts'
import { toRfc3339, toUnixSeconds } from '../time.ts'
import { CODE_TABLE_DIGEST } from './codeTable.ts'
import { CONSENT_NAMES, compileConsent } from './consent.ts'
import { compileFilter } from './criteria.ts'
import { MINIMAL_VIEW } from './elements.ts'
import type { PatientIds } from './patientIds.ts'
import { Pseudonymizer } from './pseudonym.ts'
import { SEARCH_ELEMENTS } from './searchParameters.ts'
import { compileSensitivity } from './sensitivity.ts'
import { SliceScanner } from './slice.ts'
import { STRING } from './tokens.ts'
import { RESOURCE_TYPES } from './types.ts'
import { compileProjection, createProjector, elementNames } from './view.ts'
import { sameSlice, WordTable } from './words.ts'

/**
 * The reasons for withholding a resource, in the order of the checks. `scope`: no scope grants its type.
 * `malformed`: it is not strict JSON with a type of R4. `type`: the view has no such type. `consent`: it is of
 * a patient who withdrew, or does not say of whom. `modifier`: it carries a modifier that the view would drop. `criteria`: the type is granted, but not this resource.
 * `sensitive`: it falls into a category that is not granted.
 */
type WithheldReason = 'scope' | 'malformed' | 'type' | 'consent' | 'modifier' | 'criteria' | 'sensitive'

export type Outcome =
  /** The projected resource; valid until the next call. */
  | { readonly kind: 'kept'; readonly line: Uint8Array }
  | { readonly kind: 'withheld'; readonly reason: WithheldReason }

export type Filter = {
  /** Undefined stands for a line that is too long to be read. */
  readonly apply: (line: Uint8Array | undefined) => Outcome
  /** The counts so far. Throws `resource.malformed` if lines were read and none of them was a resource. */
  readonly counts: () => Counts
}

/** The terms of a grant that the filter enforces. */
export type FilterTerms = {
  /** SMART v2 system scopes. */
  readonly scopes: readonly string[]
  readonly projection: { readonly view: 'minimal' }
  /** The sensitive categories that pass. */
  readonly sensitive: readonly string[]
  /** Must be the built-in table. */
  readonly codeTable: string
  /** Time of issue, in seconds since the epoch. Ages are computed as of this time. */
  readonly iat: number
}

/** Lines read, resources kept by type, and lines withheld by reason. */
export type Counts = {
  readonly read: number
  readonly kept: Readonly<Record<string, number>>
  readonly withheld: Readonly<Record<string, number>>
}

const TYPES = new WordTable(RESOURCE_TYPES)
const BEGINNING = Buffer.from('{"resourceType":"')
const LONGEST_TYPE = 64
const QUOTE = 0x22

/**
 * `withdrawn`: null for a dataset without consent lists. Throws `scope.invalid`, `workload.unknown`. The pseudonym key is copied into a key object; the caller wipes its own bytes. */
export function createFilter(
  terms: FilterTerms,
  pseudonymKey: Uint8Array,
  withdrawn: PatientIds | null,
): Filter {
  if (terms.codeTable !== CODE_TABLE_DIGEST)
    throw new CodedError(
      'workload.unknown',
      `the grant names the code table ${terms.codeTable}, this worker has ${CODE_TABLE_DIGEST}`,
    )
  const names = new WordTable([
    ...['resourceType', 'meta', 'security', 'modifierExtension', 'implicitRules'],
    ...elementNames(MINIMAL_VIEW),
    ...SEARCH_ELEMENTS,
    ...CONSENT_NAMES,
  ])
  const resource = new SliceScanner(names, 'code')
  const scopes = compileFilter(terms.scopes, names)
  const isForbidden = compileSensitivity(terms.sensitive, names)
  const isWithdrawn = withdrawn === null ? undefined : compileConsent(withdrawn, names)
  const year = Number(toRfc3339(toUnixSeconds(terms.iat)).slice(0, 4))
  const projector = createProjector(resource, new Pseudonymizer(pseudonymKey), year)
  const resourceType = names.idOf('resourceType')
  // Anywhere, not only at the root: a nested modifier changes the meaning of the element around it.
  const modifiersAnywhere = [names.idOf('modifierExtension'), names.idOf('implicitRules')]
  const rows = ['', ...RESOURCE_TYPES].map((type) => {
    const view = Object.hasOwn(MINIMAL_VIEW, type) ? MINIMAL_VIEW[type] : undefined
    return {
      type,
      isGranted: scopes.grantsType(type),
      project: view === undefined ? undefined : compileProjection(type, view, names),
      modifiers: (view?.modifiers ?? []).map((modifier) => names.idOf(modifier)),
      kept: 0,
    }
  })

  let read = 0
  const withheld = new Map<WithheldReason, number>()

  const decide = (line: Uint8Array | undefined): Uint8Array | WithheldReason => {
    if (line === undefined) return 'malformed'
    // Most withheld lines end here, unparsed: no content of theirs could make them pass.
    const announced = rows[announcedType(line)]
    if (announced !== undefined && announced.type !== '' && !announced.isGranted) return 'scope'
    if (!resource.scan(line)) return 'malformed'
    const type = resource.member(0, resourceType)
    const row = rows[type < 0 ? 0 : typeAt(resource, type)]
    if (row === undefined || row.type === '') return 'malformed'
    if (!row.isGranted) return 'scope'
    if (row.project === undefined) return 'type'
    if (isWithdrawn?.(resource, row.type) === true) return 'consent'
    if (modifiersAnywhere.some((name) => resource.occurs[name] === 1)) return 'modifier'
    if (row.modifiers.some((name) => resource.member(0, name) >= 0)) return 'modifier'
    if (!scopes.admits(row.type, resource)) return 'criteria'
    if (isForbidden(resource)) return 'sensitive'
    row.kept++
    return row.project(projector)
  }

  return {
    apply: (line) => {
      read++
      const decided = decide(line)
      if (typeof decided !== 'string') return { kind: 'kept', line: decided }
      withheld.set(decided, (withheld.get(decided) ?? 0) + 1)
      return { kind: 'withheld', reason: decided }
    },
    counts: () => {
      if (read > 0 && withheld.get('malformed') === read)
        throw new CodedError('resource.malformed', `none of ${read} lines is a FHIR resource`)
      const kept = rows.filter((row) => row.kept > 0).map((row) => [row.type, row.kept])
      return { read, kept: Object.fromEntries(kept), withheld: Object.fromEntries(withheld) }
    },
  }
}

/** The number of the type if the line begins with it, as exporters write it; otherwise 0. */
function announcedType(line: Uint8Array): number {
  const start = BEGINNING.length
  if (line.length <= start || !sameSlice(line, 0, BEGINNING, 0, start)) return 0
  let end = start
  while (end < line.length && line[end] !== QUOTE && end - start <= LONGEST_TYPE) end++
  return TYPES.find(line, start, end)
}

function typeAt(resource: SliceScanner, value: number): number {
  if (resource.kind[value] !== STRING) return 0
  return TYPES.find(resource.bytes, resource.start[value] ?? 0, resource.end[value] ?? 0)
}
