/** Signing, publishing, revoking and restoring: the steps of the provider's signers. */
import { systemClock } from '#adapters/system/clock.ts'
import { CodedError } from '#core/errors.ts'
import type { GeneralJws, RootKey, Signer } from '#core/jws.ts'
import type { Governance } from '#core/policy/inForce.ts'
import type { OpenDocument } from './documents.ts'
import type { Bench } from './governance.ts'
import { timeText } from './words.ts'

/** As the Verifier's: a number further above its predecessor's would not count. */
const MAX_GAP = 1000

export type Standing = { readonly persons: readonly string[]; readonly missing: number }

/** Throws `policy.unsuitable` unless the document could come into force here and now. */
export function expectSuitable(
  document: OpenDocument,
  { config }: Pick<Bench, 'config'>,
  inForce: Governance,
): void {
  const { what, seq, content, ends, problems } = document
  const { tenant, trust } = config
  const wrong = (problem: string) => new CodedError('policy.unsuitable', `${what} ${seq}: ${problem}`)
  if (content.tenant !== tenant || content.audience !== trust.audience)
    throw wrong(`it is for ${content.tenant} at ${content.audience}, expected ${tenant} at ${trust.audience}`)
  const broken = problems()
  if (broken.length > 0) throw wrong(broken.join('; '))
  if (ends !== undefined && ends <= systemClock.now()) throw wrong(`it has ended at ${timeText(ends)}`)
  const before = document.predecessor(inForce)
  if (seq <= before && !document.isInForce(inForce))
    throw wrong(`its number is ${seq}, expected more than ${before}, which is in force`)
  if (!isList(what) && seq > before + MAX_GAP)
    throw wrong(`its number is more than ${MAX_GAP} above ${before}`)
}

/** Adds a signature. Throws `policy.unsuitable` if this person has signed already. */
export async function addSignature(document: OpenDocument, signer: Signer & RootKey): Promise<GeneralJws> {
  const earlier = document.signed === undefined ? [] : document.signers(document.signed)
  if (earlier.some(({ kid }) => kid === signer.kid))
    throw new CodedError('policy.unsuitable', `${signer.person} has signed this document already`)
  const { payload, signatures } = await document.sign(signer)
  const signed = { payload, signatures: [...(document.signed?.signatures ?? []), ...signatures] }
  document.signers(signed)
  return signed
}

/** The numbers of lists are in no order. */
function isList(what: OpenDocument['what']): boolean {
  return what === 'revocation list' || what === 'consent list'
}

export function standingOf(
  document: OpenDocument,
  signed: GeneralJws,
  excluded: readonly string[],
): Standing {
  const counted = document.signers(signed).filter(({ kid }) => !excluded.includes(kid))
  const persons = [...new Set(counted.map(({ person }) => person))].sort()
  return { persons, missing: Math.max(0, document.threshold - persons.length) }
}

export function excludedIn(inForce: Governance): readonly string[] {
  return inForce.policy?.document?.content?.excludedSigners ?? []
}

export type Published = {
  readonly name: string
  readonly persons: readonly string[]
  readonly stated: boolean
}

/**
 * Creates the object and reads it back; then waits for a freshness statement that names it, if there are such
 * statements. Throws `policy.unsigned`, `policy.unsuitable`.
 */
export async function publishDocument(
  document: OpenDocument,
  bench: Bench,
  seconds: number,
): Promise<Published> {
  const { inForce } = await bench.look()
  expectSuitable(document, bench, inForce)
  const { what, seq, name, signed, threshold } = document
  if (signed === undefined) throw new CodedError('policy.unsigned', `${what} ${seq} is signed by no one`)
  const { persons, missing } = standingOf(document, signed, excludedIn(inForce))
  if (missing > 0)
    throw new CodedError(
      'policy.unsigned',
      `${what} ${seq} is signed by ${persons.length === 0 ? 'no one who counts' : persons.join(' and ')}, ${threshold} persons are required`,
    )
  await bench.create(name, signed)
  await expectInForce(document, bench)
  const stated = await bench.awaitStatement((statement) => document.isStated(statement, inForce), seconds)
  return { name, persons, stated }
}

/** A document that is issued later is not in force yet, and needs no other sign than its object. */
async function expectInForce(document: OpenDocument, bench: Bench): Promise<void> {
  if (document.content.issuedAt > systemClock.now()) return
  const { inForce } = await bench.look()
  if (document.isInForce(inForce)) return
  const reason = inForce.ignored.find(({ name }) => name === document.name)?.reason
  throw new CodedError(
    'policy.unsuitable',
    `${document.name} is published and not in force: ${reason ?? 'another document has a higher number'}`,
  )
}
