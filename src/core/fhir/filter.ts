/**
 * Minimum necessary, line by line: from the bytes of one resource to the bytes that the grant lets through, or to the
 * reason why none. A line that is not a FHIR resource is withheld and counted; it does not end the object.
 */
import { CodedError } from '#core/errors.ts'
import type { Counts } from '#core/evidence/entry.ts'
import type { Grant } from '#core/release/grant.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { compileFilter } from './criteria.ts'
import { MINIMAL_VIEW } from './elements.ts'
import { createPseudonymizer } from './pseudonym.ts'
import { SEARCH_ELEMENTS } from './searchParameters.ts'
import { compileSensitivity } from './sensitivity.ts'
import { SliceScanner } from './slice.ts'
import { compileProjection, elementNames } from './view.ts'
import { WordTable } from './words.ts'

/**
 * Why a resource is withheld, in the order of asking. `scope`: no scope grants its type. `malformed`: not strict JSON
 * with a resource type. `type`: the view has no such type. `modifier`: it carries a modifier that the view would drop.
 * `criteria`: the type is granted, this resource is not. `sensitive`: it falls into a category that is not granted.
 */
export type WithheldReason = 'scope' | 'malformed' | 'type' | 'modifier' | 'criteria' | 'sensitive'

export type Outcome =
  /** The projected resource; valid until the next call. */
  | { readonly kind: 'kept'; readonly line: Uint8Array }
  | { readonly kind: 'withheld'; readonly reason: WithheldReason }

export type Filter = {
  readonly apply: (line: Uint8Array) => Outcome
  /** So far; throws `resource.malformed` where lines were read and not one of them was a resource. */
  readonly counts: () => Counts
}

type Terms = Pick<Grant, 'scopes' | 'view' | 'sensitive' | 'iat'>

const BEGINNING = Buffer.from('{"resourceType":"')
const QUOTE = 0x22
const TYPE = /^[A-Z][A-Za-z]{0,63}$/

/** Throws `scope.invalid`. The pseudonym key is copied into a key object; the caller wipes its own bytes. */
export function createFilter(terms: Terms, pseudonymKey: Uint8Array): Filter {
  const names = new WordTable([
    ...['resourceType', 'meta', 'security', 'modifierExtension', 'implicitRules'],
    ...elementNames(MINIMAL_VIEW),
    ...SEARCH_ELEMENTS,
  ])
  const resource = new SliceScanner(names, 'code')
  const scopes = compileFilter(terms.scopes, names)
  const isForbidden = compileSensitivity(terms.sensitive, names)
  const pseudonymOf = createPseudonymizer(pseudonymKey)
  const year = Number(toRfc3339(toUnixSeconds(terms.iat)).slice(0, 4))
  const types = new Map(
    Object.entries(MINIMAL_VIEW).map(([type, view]) => [
      type,
      {
        ...compileProjection(type, view, names, pseudonymOf, year),
        modifiers: (view.modifiers ?? []).map((modifier) => names.idOf(modifier)),
      },
    ]),
  )
  const resourceType = names.idOf('resourceType')
  // Anywhere, not only at the root: a modifier inside changes the meaning of what is around it.
  const modifiersAnywhere = [names.idOf('modifierExtension'), names.idOf('implicitRules')]

  let read = 0
  const kept = new Map<string, number>()
  const withheld = new Map<WithheldReason, number>()

  const typeOf = (): string | undefined => {
    const value = resource.member(0, resourceType)
    const text = value >= 0 && resource.isText(value) ? resource.text(value) : ''
    return TYPE.test(text) ? text : undefined
  }
  const decide = (line: Uint8Array): Outcome => {
    // Most of what is withheld ends here, unparsed: whatever else the line holds, it does not pass.
    const announced = announcedType(line)
    if (announced !== undefined && !scopes.grantsType(announced)) return no('scope')
    if (!resource.scan(line)) return no('malformed')
    const type = typeOf()
    if (type === undefined) return no('malformed')
    if (!scopes.grantsType(type)) return no('scope')
    const view = types.get(type)
    if (view === undefined) return no('type')
    if (modifiersAnywhere.some((name) => resource.occurs[name] === 1)) return no('modifier')
    if (view.modifiers.some((name) => resource.member(0, name) >= 0)) return no('modifier')
    if (!scopes.admits(type, resource)) return no('criteria')
    if (isForbidden(resource)) return no('sensitive')
    kept.set(type, (kept.get(type) ?? 0) + 1)
    return { kind: 'kept', line: view.project(resource) }
  }
  const no = (reason: WithheldReason): Outcome => {
    withheld.set(reason, (withheld.get(reason) ?? 0) + 1)
    return { kind: 'withheld', reason }
  }

  return {
    apply: (line) => {
      read++
      return decide(line)
    },
    counts: () => {
      if (read > 0 && withheld.get('malformed') === read)
        throw new CodedError('resource.malformed', `none of ${read} lines is a FHIR resource`)
      return { read, kept: Object.fromEntries(kept), withheld: Object.fromEntries(withheld) }
    },
  }
}

/** The type, where the line begins with it as exporters write it; a later second `resourceType` changes nothing. */
function announcedType(line: Uint8Array): string | undefined {
  if (BEGINNING.compare(line, 0, Math.min(BEGINNING.length, line.length)) !== 0) return undefined
  const end = line.indexOf(QUOTE, BEGINNING.length)
  const text = Buffer.from(line.subarray(BEGINNING.length, Math.min(end, BEGINNING.length + 65))).toString(
    'latin1',
  )
  return end > 0 && TYPE.test(text) ? text : undefined
}
