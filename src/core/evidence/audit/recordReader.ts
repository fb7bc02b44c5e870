/** Reads objects of the record by digest. An absent or altered one is a finding, and then not at hand. */
import { sha256, toBase64url } from '../../bytes.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { RECORDED, type RecordedKind, recordedName } from '../record.ts'
import { type Findings, messageOf, type Position } from './finding.ts'

/** Chains, lists and terms, which many requests share. */
const SHARED: ReadonlySet<RecordedKind> = new Set(['certificate', 'crl', 'terms'])
const MAX_SHARED = 256

export class RecordReader {
  readonly #objects: ObjectReader
  readonly #findings: Findings
  readonly #shared = new Map<string, Buffer>()
  readonly #reported = new Set<string>()

  /** `objects`: the Verifiers' bucket. */
  constructor(objects: ObjectReader, findings: Findings) {
    this.#objects = objects
    this.#findings = findings
  }

  /** `named` is the first entry that names it. */
  async read(kind: RecordedKind, digest: string, named: Position): Promise<Buffer | undefined> {
    const name = recordedName(kind, digest)
    const held = this.#shared.get(name)
    if (held !== undefined) return held
    const bytes = await this.#whole(name, RECORDED[kind], digest, named)
    if (bytes === undefined || !SHARED.has(kind)) return bytes
    if (this.#shared.size >= MAX_SHARED) this.#shared.clear()
    this.#shared.set(name, bytes)
    return bytes
  }

  async #whole(name: string, maxBytes: number, digest: string, named: Position) {
    try {
      const bytes = await this.#objects.read(name, maxBytes)
      if (bytes === undefined) this.#report('record.missing', name, named, 'it is absent')
      else if (toBase64url(sha256(bytes)) === digest) return bytes
      else this.#report('record.altered', name, named, 'it has another digest')
    } catch (error) {
      this.#report('record.altered', name, named, messageOf(error))
    }
    return undefined
  }

  #report(code: 'record.missing' | 'record.altered', name: string, named: Position, text: string): void {
    if (this.#reported.has(name)) return
    this.#reported.add(name)
    this.#findings.at(named)(code, `${name}: ${text}`)
  }
}
