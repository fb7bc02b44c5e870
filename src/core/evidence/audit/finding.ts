/** What an audit can find wrong, in one table: `broken` contradicts or was changed, `incomplete` lacks something. */

export type Severity = 'incomplete' | 'broken'

const broken = (meaning: string) => ({ severity: 'broken', meaning }) as const
const incomplete = (meaning: string) => ({ severity: 'incomplete', meaning }) as const

export const FINDINGS = {
  // Who is who
  'keys.missing': incomplete('the governance bucket certifies no grant CA'),
  'keys.unverified': broken('verifier keys are not signed by a quorum of the provider root'),
  'registration.missing': incomplete('a log says that a boot was registered, and no registration is there'),
  'registration.unverified': broken(
    'a registration is not signed by a certified grant CA, or is not of its boot',
  ),
  'policy.missing': incomplete('a decision names a policy or revocation list that is not there'),
  'policy.unverified': broken(
    'a policy or revocation list is not signed by the provider root, or has another digest',
  ),
  'evidence.simulated': broken('the evidence comes from a simulated root and proves nothing about a machine'),

  // One log
  'log.missing': incomplete('a registered boot has no log'),
  'log.unregistered': broken('a log of a boot that nobody registered speaks of releases'),
  'log.unverifiable': broken('the key beside a log is not the one that its name stands for'),
  'log.order': broken(
    'a log does not begin with log.opened, goes on after log.closed, or is of another boot',
  ),
  'checkpoint.invalid': broken('a checkpoint is malformed, unsigned, or of another log or size'),
  'checkpoint.inconsistent': broken('a checkpoint is not over the entries that are there'),
  'checkpoint.missing': incomplete('a checkpoint is not there, although something else shows that it was'),
  'checkpoint.forked': broken('two signed checkpoints of one log and size have different roots'),
  'tile.missing': incomplete('a tile or bundle under a checkpoint is not there'),
  'tile.altered': broken('a tile or bundle is not what the checkpoint was made over'),
  'entry.lost': incomplete('no unaltered copy of an entry is there'),
  'entry.malformed': broken('an entry is not of the schema'),
  'time.backwards': broken('an entry is older than the one before it'),
  'object.unexpected': broken('an object is there that no writer of evidence makes'),

  // One release
  'decision.unfounded': broken('the policy that a decision names does not allow it'),
  'release.repeated': broken('one release was decided, ended or received more than once'),
  'release.unended': incomplete('a release was decided, and neither issued nor failed'),
  'release.unknown': broken("a worker received a key that no Verifier's log has issued"),
  'release.contradicted': broken('two logs do not say the same about a release'),
  'release.abandoned': incomplete('a key was released, and nothing says what became of it'),

  // One result
  'manifest.unverified': broken('a manifest is not signed by a registered worker, or is not of its name'),
  'manifest.unannounced': broken('a manifest has no matching result.intent'),
  'manifest.contradicted': broken('a manifest and the logs do not say the same'),
  'manifest.missing': incomplete('a log says that a result is visible, and no such manifest is there'),
  'result.repeated': broken('a result was made visible twice'),
  'content.missing': incomplete('a part of a result is not there, although others are'),
  'content.altered': broken("a part of a result is not the manifest's"),
} as const satisfies Record<string, { readonly severity: Severity; readonly meaning: string }>

export type FindingCode = keyof typeof FINDINGS

export type Finding = {
  readonly code: FindingCode
  /** The boot of the log, or null where it is about no log. */
  readonly log: string | null
  /** Index of the entry, or size of the checkpoint, where there is one. */
  readonly index: number | null
  readonly text: string
}

/** Enough to act on; a collection with more is beyond reading, and the rest is counted. */
const MAX_FINDINGS = 10_000

export class Findings {
  readonly #list: Finding[] = []
  #omitted = 0
  #worst: Severity | undefined

  add(code: FindingCode, log: string | null, index: number | null, text: string): void {
    const { severity } = FINDINGS[code]
    if (this.#worst !== 'broken') this.#worst = severity
    if (this.#list.length >= MAX_FINDINGS) this.#omitted += 1
    // Object names come from whoever made the collection, and the text goes to a terminal.
    else this.#list.push({ code, log, index, text: text.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000) })
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
}
