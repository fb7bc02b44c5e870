/** The manifests of results, read by the id of their result when something names it, and then from a listing. */
import type { Registration } from '../../boot/registration.ts'
import type { ObjectReader } from '../../objectReader.ts'
import type { GrantCa } from '../../policy/verifierKeys.ts'
import { manifestName, ResultManifestFormat } from '../../sealed/manifest.ts'
import type { OpenedManifest } from '../manifest.ts'
import { BoundedMap } from './bounded.ts'
import { CompactTable } from './compactTable.ts'
import { type Findings, messageOf } from './finding.ts'
import type { Compute } from './tasks.ts'

const NAME = /^r\/([^/]+)\/result$/s
const RESULT_ID = /^[0-9a-f]{64}$/
/** The member of a manifest that names its boot: no string of canonical JSON contains an unescaped quote. */
const BOOT = /"boot":"([a-z2-7]{26})"/
/** And the Verifier that cosigned its log. */
const COSIGNER = /"workerCheckpoint":"[^"]* confidential-worker\/verifier\/([a-z2-7]{26}) /
const MAX_BYTES = ResultManifestFormat.maxBytes * 2
const AT_ONCE = 128
/** Manifests in memory. Those of one settling are asked for several times. */
const CACHED = 1024

export class Manifests {
  readonly #objects: ObjectReader
  readonly #registrations: ReadonlyMap<string, Registration>
  readonly #grantCas: readonly GrantCa[]
  readonly #findings: Findings
  readonly #compute: Compute
  readonly #cache = new BoundedMap<string, OpenedManifest | null>(CACHED)
  // Every result that was read, and 1 if it was judged or never can be. Its number stands for it elsewhere.
  readonly #read = new CompactTable(32, 1)
  simulation = false

  constructor(options: {
    readonly objects: ObjectReader
    readonly registrations: ReadonlyMap<string, Registration>
    readonly grantCas: readonly GrantCa[]
    readonly findings: Findings
    readonly compute: Compute
  }) {
    this.#objects = options.objects
    this.#registrations = options.registrations
    this.#grantCas = options.grantCas
    this.#findings = options.findings
    this.#compute = options.compute
  }

  /** Reads some that are needed next, together. */
  async prefetch(ids: readonly string[]): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => this.#cache.get(id) === undefined)
    for (let start = 0; start < Math.min(missing.length, CACHED); start += AT_ONCE)
      await this.#open(missing.slice(start, start + AT_ONCE))
  }

  /** Undefined if it is absent, or no registered worker's, which is a finding. */
  async get(resultId: string): Promise<OpenedManifest | undefined> {
    if (this.#cache.get(resultId) === undefined) await this.#open([resultId])
    return this.#cache.get(resultId) ?? undefined
  }

  /** The number of a result that was read. */
  rowOf(resultId: string): number {
    return this.#read.find(Buffer.from(resultId, 'hex'))
  }

  idOf(row: number): string {
    return this.#read.keyOf(row).toString('hex')
  }

  /** True the first time. */
  judge(resultId: string): boolean {
    const value = this.#read.valueOf(this.rowOf(resultId))
    const isFirst = value[0] === 0
    value[0] = 1
    return isFirst
  }

  /** The results that were read and not judged. */
  *unjudged(): Generator<string> {
    for (let row = 0; row < this.#read.size; row += 1)
      if (this.#read.valueOf(row)[0] === 0) yield this.idOf(row)
  }

  /** The results in the collection whose manifests nothing has asked for, some at a time. */
  async *unread(): AsyncGenerator<readonly string[]> {
    let some: string[] = []
    for await (const name of this.#objects.list('r/')) {
      const [, id] = NAME.exec(name) ?? []
      if (id === undefined) continue
      if (!RESULT_ID.test(id)) this.#findings.add('manifest.unverified', `${name}: a result has another name`)
      else if (this.rowOf(id) === -1) some.push(id)
      if (some.length < AT_ONCE) continue
      yield some
      some = []
    }
    yield some
  }

  async #open(ids: readonly string[]): Promise<void> {
    const read = await Promise.all(
      ids.map(async (resultId) => ({ resultId, bytes: await this.#readOne(resultId) })),
    )
    const manifests = read.flatMap(({ resultId, bytes }) => {
      this.#cache.set(resultId, null)
      if (bytes === undefined) return []
      const payload = payloadOf(bytes)
      const [worker, verifier] = [BOOT, COSIGNER].map((name) =>
        this.#registrations.get(name.exec(payload)?.[1] ?? ''),
      )
      return [{ resultId, bytes, worker, verifier }]
    })
    if (manifests.length === 0) return
    const opened = await this.#compute('manifests', { manifests, grantCas: this.#grantCas })
    for (const [i, { resultId }] of manifests.entries()) {
      const one = opened[i]
      this.#read.add(Buffer.from(resultId, 'hex'))
      if (one === undefined) continue
      if (!('problem' in one)) {
        this.simulation ||= one.manifest.simulation
        this.#cache.set(resultId, one)
      } else if (this.judge(resultId))
        this.#findings.add('manifest.unverified', `${manifestName(resultId)}: ${one.problem}`)
    }
  }

  /** An object that is too large has no registered signer. */
  async #readOne(resultId: string): Promise<Buffer | undefined> {
    try {
      return await this.#objects.read(manifestName(resultId), MAX_BYTES)
    } catch (error) {
      messageOf(error)
      return Buffer.alloc(0)
    }
  }
}

function payloadOf(jws: Buffer): string {
  const [, payload = ''] = jws.toString('latin1').split('.', 2)
  return Buffer.from(payload, 'base64url').toString('latin1')
}
