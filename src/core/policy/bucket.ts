/**
 * The documents of a governance bucket, read as Verifier, commands and audit read them: names that no
 * document has are passed over unread, each object is read once, several at a time, and junk is skipped.
 */
import { CodedError } from '../errors.ts'
import type { QuorumRoot } from '../jws.ts'
import type { ObjectReader } from '../objectReader.ts'
import { type Consent, consentKeysOf, consentKind, consentRoot } from './consent.ts'
import { type GovernanceDocument, type Kind, maxStoredBytes, readDocument } from './document.ts'
import type { Candidates, Ignored } from './inForce.ts'
import { parseDocumentName } from './objectName.ts'
import { POLICY, type Policy } from './policy.ts'
import { REVOCATION, type Revocation } from './revocation.ts'
import { VERIFIER_KEYS, type VerifierKeys } from './verifierKeys.ts'

/** A thousand objects of junk then delay a start by seconds, not by minutes. */
const AT_ONCE = 16

/**
 * Remembers what it has read: an object is never rewritten. If a reading fails, the next one goes on where it
 * ended.
 */
export class GovernanceBucket {
  readonly policies: GovernanceFolder<Policy>
  readonly verifierKeys: GovernanceFolder<VerifierKeys>
  readonly revocations: GovernanceFolder<Revocation>
  readonly #reader: ObjectReader
  readonly #root: QuorumRoot
  /** By dataset, with how many keys may withdraw from it. */
  readonly #consents = new Map<
    string,
    { readonly keys: number; readonly folder: GovernanceFolder<Consent> }
  >()

  constructor(reader: ObjectReader, root: QuorumRoot) {
    this.#reader = reader
    this.#root = root
    this.policies = new GovernanceFolder(POLICY, reader, root)
    this.verifierKeys = new GovernanceFolder(VERIFIER_KEYS, reader, root)
    this.revocations = new GovernanceFolder(REVOCATION, reader, root)
  }

  /** Lists once and reads what is new. */
  async refresh(signal?: AbortSignal): Promise<void> {
    await this.verifierKeys.refresh(signal)
    await this.revocations.refresh(signal)
    await this.policies.refresh(signal)
    for (const folder of this.#consentFolders()) await folder.refresh(signal)
  }

  /** Of a dataset that has got a key since, everything is read again: what was junk may be its list. */
  #consentFolders(): readonly GovernanceFolder<Consent>[] {
    for (const [dataset, keys] of consentKeysOf(this.policies.documents, this.#root)) {
      if (this.#consents.get(dataset)?.keys === keys.length) continue
      const root = consentRoot(this.#root, keys)
      const folder = new GovernanceFolder(consentKind(dataset), this.#reader, root)
      this.#consents.set(dataset, { keys: keys.length, folder })
    }
    return this.#folders
  }

  get #folders(): readonly GovernanceFolder<Consent>[] {
    return [...this.#consents.values()].map(({ folder }) => folder)
  }

  get candidates(): Candidates {
    return {
      policies: this.policies.documents,
      verifierKeys: this.verifierKeys.documents,
      revocations: this.revocations.documents,
      consents: this.#folders.flatMap(({ documents }) => documents),
    }
  }

  /** What is stored under the name of a document, and is none. */
  get junk(): readonly Ignored[] {
    const folders = [this.verifierKeys, this.revocations, this.policies, ...this.#folders]
    return folders.flatMap(({ junk }) => junk)
  }
}

/** The documents of one kind. */
export class GovernanceFolder<T> {
  readonly #kind: Kind<T>
  readonly #reader: ObjectReader
  readonly #root: QuorumRoot
  readonly #documents = new Map<string, GovernanceDocument<T>>()
  readonly #junk = new Map<string, string>()

  constructor(kind: Kind<T>, reader: ObjectReader, root: QuorumRoot) {
    this.#kind = kind
    this.#reader = reader
    this.#root = root
  }

  get documents(): readonly GovernanceDocument<T>[] {
    return [...this.#documents.values()]
  }

  get junk(): readonly Ignored[] {
    return [...this.#junk].map(([name, reason]) => ({ name, reason }))
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const names: string[] = []
    for await (const name of this.#reader.list(`${this.#kind.folder}/`, signal))
      if (parseDocumentName(name) !== undefined && !this.#documents.has(name) && !this.#junk.has(name))
        names.push(name)
    const remaining = names[Symbol.iterator]()
    const readers = Array.from({ length: AT_ONCE }, async () => {
      for (const name of remaining) await this.#read(name, signal)
    })
    await Promise.all(readers)
  }

  async #read(name: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      const bytes = await this.#reader.read(name, maxStoredBytes(this.#kind), signal)
      // Listed and absent: a listing of later tells.
      if (bytes === undefined) return
      this.#documents.set(name, readDocument(this.#kind, name, bytes, this.#root))
    } catch (error) {
      if (!(error instanceof CodedError) || !JUNK.has(error.code)) throw error
      this.#junk.set(name, error.message)
    }
  }
}

/** Too large, or no document. Any other error is about the reading. */
const JUNK: ReadonlySet<string> = new Set(['policy.invalid', 'evidence.malformed'])
