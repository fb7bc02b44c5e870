/**
 * The findings of an audit, in one table. `broken`: contradictory or changed. `incomplete`: something is
 * absent.
 */
import { CodedError } from '../../errors.ts'

export type Severity = 'incomplete' | 'broken'
/** `noted`: for the reader, without an effect on the verdict. */
type Weight = Severity | 'noted'

const broken = (meaning: string) => ({ severity: 'broken', meaning }) as const
const noted = (meaning: string) => ({ severity: 'noted', meaning }) as const
const incomplete = (meaning: string) => ({ severity: 'incomplete', meaning }) as const

export const FINDINGS = {
  // Signed documents
  'keys.missing': incomplete('no grant CA is certified'),
  'governance.ignored': noted('an object under the name of a governance document that does not count'),
  'registration.missing': incomplete('a registered boot has no registration object'),
  'registration.unverified': broken('a registration lacks a certified signer, or has another boot'),
  'policy.missing': incomplete('a decision names an absent policy or revocation list'),
  'policy.rolled-back': broken('a log goes back to an older policy or to fewer revocation lists'),
  'seal.missing': incomplete(
    'a withdrawn object has no seal record, so no one can say whether it was released',
  ),
  'registration.unannounced': broken("a worker with releases is registered, and no Verifier's log says so"),
  'policy.contradicted': broken('a log names policies or revocation lists that cannot have been in force'),
  'evidence.simulated': broken('a simulated root proves nothing about a machine'),

  // One log
  'log.missing': incomplete('a registered boot has no log'),
  'log.unregistered': broken('a log of an unregistered boot contains releases'),
  'log.unverifiable': broken('the key beside a log does not match its name'),
  'log.order': broken('a log begins or ends out of order, or belongs to another boot'),
  'checkpoint.invalid': broken('a checkpoint is malformed or unsigned, or of another log or size'),
  'checkpoint.inconsistent': broken('a checkpoint does not cover the present entries'),
  'checkpoint.missing': incomplete('a checkpoint is absent that another record names'),
  'checkpoint.forked': broken('two signed checkpoints of one size have different roots'),
  'cosignature.invalid': broken('what is kept as a cosigned checkpoint is none'),
  'cosignature.missing': incomplete('a step between two cosigned checkpoints of a log is absent'),
  'tile.missing': incomplete('a tile or bundle under a checkpoint is absent'),
  'tile.altered': broken('a tile or bundle differs from the checkpoint'),
  'entry.lost': incomplete('no unaltered copy of an entry exists'),
  'entry.malformed': broken('an entry does not match the schema'),
  'time.backwards': broken('an entry is older than the one before it'),
  'object.unexpected': broken('an object that no writer of evidence creates'),

  // The record
  'record.missing': incomplete('an object is absent that an entry or another object of the record names'),
  'record.altered': broken('an object of the record is not what its name says'),
  'attestation.unproven': broken("a recorded request does not prove its machine up to AMD's root"),
  'attestation.contradicted': broken('an entry is not about the request that it names'),
  'appraisal.contradicted': broken('appraised again, a machine has another verdict'),
  'decision.contradicted': broken('decided again, a request or a job has another decision'),
  'grant.unverified': broken('a recorded grant is absent, or no certified key signed it'),
  'grant.other-terms': broken('a grant has other terms than the permission in the policy'),
  'grant.contradicted': broken('a grant differs from its decision'),

  // One release
  'decision.unfounded': broken('the policy that a decision names does not allow it'),
  'decision.superseded': broken('a newer policy was in force than the one that a decision names'),
  'decision.revoked': broken('what a decision uses was revoked by a list that its log did not have yet'),
  'decision.withdrawn': broken('an object was released after it was withdrawn'),
  'decision.undisclosed': broken(
    'a decision says otherwise than its policy whether it discloses the whole object',
  ),
  'denial.unknown': broken("a worker logs a denial that is in no Verifier's log"),
  'release.repeated': broken('one release was decided, ended or received more than once'),
  'release.unended': incomplete('a release was decided, and neither issued, failed nor interrupted'),
  'release.unknown': broken('a worker received a key that no Verifier issued'),
  'release.contradicted': broken('two logs disagree about a release'),
  'job.order': broken('an entry about a job that its life does not allow after the entries before it'),
  'release.abandoned': incomplete('a key was released, and no entry says what followed'),

  // One result
  'manifest.unverified': broken('a manifest lacks a registered signer, or has another name'),
  'manifest.unannounced': broken('a manifest has no matching result.intent'),
  'manifest.contradicted': broken('a manifest disagrees with the logs, or with the terms of its permission'),
  'manifest.missing': incomplete('a visible result has no manifest'),
  'result.repeated': broken('a result was made visible twice'),
  'commit.missing': incomplete('a permitted result has no commit of the provider'),
  'commit.contradicted': broken('a result is not the output that the provider committed'),
  'content.missing': incomplete('only some parts of a result are present'),
  'content.altered': broken('a part of a result differs from the manifest'),
} as const satisfies Record<string, { readonly severity: Weight; readonly meaning: string }>

export type FindingCode = keyof typeof FINDINGS

export type Finding = {
  readonly code: FindingCode
  /** The boot of the log, or null if the finding is not about a log. */
  readonly log: string | null
  /** Index of the entry or size of the checkpoint, if there is one. */
  readonly index: number | null
  readonly text: string
}

/** A position in a log. */
export type Position = { readonly boot: string; readonly index: number | null }
/** Reports findings about one log. */
export type FindInLog = (code: FindingCode, index: number | null, text: string) => void
/** Reports findings about one position in a log. */
export type FindHere = (code: FindingCode, text: string) => void

/** Enough to act on. No one can read more; the rest is counted. */
const MAX_FINDINGS = 10_000

export class Findings {
  readonly #list: Finding[] = []
  readonly #missing = new Set<string>()
  #omitted = 0
  #worst: Severity | undefined

  /** Reports a finding that is not about a log. */
  add(code: FindingCode, text: string): void {
    this.#add(code, null, null, text)
  }

  of(log: string): FindInLog {
    return (code, index, text) => this.#add(code, log, index, text)
  }

  /** `subject` begins each text. */
  at({ boot, index }: Position, subject?: string): FindHere {
    return (code, text) => this.#add(code, boot, index, subject === undefined ? text : `${subject}: ${text}`)
  }

  /** Reports an absent policy or revocation list once, at the first entry that names it. */
  missing(document: string, { boot, index }: Position): void {
    if (this.#missing.has(document)) return
    this.#missing.add(document)
    this.#add('policy.missing', boot, index, `entry ${index} names ${document}, which is absent`)
  }

  get list(): readonly Finding[] {
    return this.#list
  }

  get omitted(): number {
    return this.#omitted
  }

  get verdict(): 'intact' | Severity {
    return this.#worst ?? 'intact'
  }

  #add(code: FindingCode, log: string | null, index: number | null, text: string): void {
    const { severity } = FINDINGS[code]
    if (severity !== 'noted' && this.#worst !== 'broken') this.#worst = severity
    if (this.#list.length >= MAX_FINDINGS) this.#omitted += 1
    // The author of the collection chose the object names, and the text goes to a terminal.
    else this.#list.push({ code, log, index, text: text.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000) })
  }
}

/** The message of a coded error, for a finding. Any other error is a fault of ours and is thrown again. */
export function messageOf(error: unknown): string {
  if (error instanceof CodedError) return error.message
  throw error
}
