/**
 * What an entry is about: its own fields, and those of the entries that it names. An entry about the use of a
 * key, say, has no client; the decision that it follows from has.
 */
import { BoundedMap } from '#core/evidence/audit/bounded.ts'
import type { AnyLogged } from '#core/evidence/audit/log/log.ts'
import type { Entry } from '#core/evidence/entry.ts'

export type FactKind = 'client' | 'purpose' | 'dataset' | 'permission' | 'code' | 'trace' | 'boot' | 'id'
export type Facts = Readonly<Record<FactKind, ReadonlySet<string>>>

/** Facts that one request has for all of its jobs, and one job for all of its entries. */
const INHERITED: ReadonlySet<FactKind> = new Set(['client', 'purpose', 'dataset', 'permission', 'trace'])
/** Of releases, jobs, denials and requests under way. Those of before are forgotten first. */
const MAX_KNOWN = 65_536

export class FactBook {
  readonly #known = new BoundedMap<string, MutableFacts>(MAX_KNOWN)

  /** Entries come in the order of their time. */
  of({ boot, index, entry }: AnyLogged): Facts {
    const facts = ownFacts(boot, entry)
    const names = [...facts.id, ...('accepted' in entry ? [`${boot}/${entry.accepted}`] : [])]
    for (const name of names) inherit(facts, this.#known.get(name))
    const own = entry.event === 'worker.accepted' ? [`${boot}/${index}`] : facts.id
    for (const name of own) this.#remember(name, facts)
    return facts
  }

  #remember(name: string, facts: MutableFacts): void {
    const known = this.#known.get(name)
    if (known === undefined) this.#known.set(name, facts)
    else inherit(known, facts)
  }
}

type MutableFacts = Record<FactKind, Set<string>>

function ownFacts(boot: string, entry: Entry): MutableFacts {
  const fields: Readonly<Record<string, unknown>> = entry
  const texts = (...names: readonly string[]) =>
    new Set(
      names.flatMap((name) => {
        const value = fields[name]
        return typeof value === 'string' ? [value] : Array.isArray(value) ? value.filter(isText) : []
      }),
    )
  const reasons = 'reasons' in entry ? entry.reasons.map(({ code }) => code) : []
  const other = 'verifier' in entry ? [entry.verifier.boot] : []
  return {
    client: texts('client'),
    purpose: texts('purpose'),
    dataset: texts('dataset', 'datasets'),
    permission: texts('permission'),
    code: new Set([...texts('code'), ...reasons]),
    trace: new Set([...texts('traceparent', 'traceparents')].map((parent) => parent.slice(3, 35))),
    boot: new Set([boot, ...texts('boot'), ...other]),
    id: texts('releaseId', 'jobId', 'denialId', 'resultId'),
  }
}

function inherit(facts: MutableFacts, from: Facts | undefined): void {
  if (from === undefined) return
  for (const kind of INHERITED) for (const value of from[kind]) facts[kind].add(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
