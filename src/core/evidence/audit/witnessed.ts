/**
 * What Verifiers cosigned of the workers' logs: each step follows the one before it, and the log still has it.
 * So no worker's log can be cut back, and no other one put in its place.
 */
import type { Registration } from '../../boot/registration.ts'
import { fromUtf8 } from '../../bytes.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { claimedCosigner } from '../witness/acceptance.ts'
import { parseWitnessedName, WITNESSED } from '../witness/witnessed.ts'
import { type Findings, messageOf } from './finding.ts'
import type { Logs } from './log/logs.ts'
import { lowerBound } from './log/survey.ts'
import type { Compute, OpenedCosigned } from './tasks.ts'

const MAX_NOTE_BYTES = 16_384
/** Read, verified and forgotten together. */
const AT_ONCE = 256

type Place = { readonly name: string; readonly boot: string; readonly before: number }

export class Witnessed {
  // The cosigned sizes of each log, ascending.
  readonly #sizes = new Map<string, number[]>()

  has(boot: string, size: number): boolean {
    const sizes = this.#sizes.get(boot) ?? []
    return sizes[lowerBound(sizes, size)] === size
  }

  /** 0 if nothing is cosigned. */
  last(boot: string): number {
    return this.#sizes.get(boot)?.at(-1) ?? 0
  }

  /** A part of every registered worker's log is cosigned. */
  isWhole({ registered }: Logs): boolean {
    const workers = registered.filter(({ role }) => role === 'worker')
    return workers.length > 0 && workers.every(({ boot }) => this.last(boot) > 0)
  }

  add(boot: string, size: number): void {
    const sizes = this.#sizes.get(boot) ?? []
    sizes.push(size)
    this.#sizes.set(boot, sizes)
  }
}

/** Reads them all, in the order in which they were cosigned. Whatever is not a next step is a finding. */
export async function readWitnessed(options: {
  readonly objects: ObjectReader
  readonly logs: Logs
  readonly registrations: ReadonlyMap<string, Registration>
  readonly findings: Findings
  readonly compute: Compute
}): Promise<Witnessed> {
  const { objects, logs, registrations, findings, compute } = options
  const witnessed = new Witnessed()
  let some: Place[] = []
  for await (const name of objects.list(WITNESSED)) {
    const place = parseWitnessedName(name)
    if (place === undefined) continue
    some.push({ name, ...place })
    if (some.length < AT_ONCE) continue
    await judgeAll(some)
    some = []
  }
  await judgeAll(some)
  return witnessed

  async function judgeAll(places: readonly Place[]): Promise<void> {
    const read = await Promise.all(places.map(readOne))
    const notes = read.flatMap((one) => one ?? [])
    const opened = await compute('cosigned', { notes })
    for (const [i, { name, boot, before }] of notes.entries()) {
      const one = opened[i]
      if (one === undefined) continue
      if ('problem' in one) findings.of(boot)('cosignature.invalid', before, `${name}: ${one.problem}`)
      else judge(boot, before, one)
    }
  }

  async function readOne(place: Place) {
    const { name, boot, before } = place
    const find = findings.of(boot)
    const worker = registrations.get(boot)
    if (worker?.role !== 'worker') {
      find('cosignature.invalid', before, `${name}: ${boot} is not registered as a worker`)
      return undefined
    }
    try {
      const bytes = (await objects.read(name, MAX_NOTE_BYTES)) ?? Buffer.alloc(0)
      const verifier = registrations.get(claimedCosigner(fromUtf8(bytes, name)) ?? '')
      return { ...place, bytes, worker, verifier }
    } catch (error) {
      find('cosignature.invalid', before, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }

  function judge(boot: string, before: number, { size, root }: OpenedCosigned): void {
    const find = findings.of(boot)
    if (witnessed.last(boot) !== before)
      find('cosignature.missing', before, `nothing cosigned of ${boot} leads up to size ${before}`)
    witnessed.add(boot, size)
    if (logs.isMissing(boot)) return
    const stored = logs.get(boot)?.checkpoints.rootAt(size)
    if (stored === undefined)
      find('checkpoint.missing', size, `checkpoint ${size} of ${boot} was cosigned and is not in the log`)
    else if (!stored.equals(root))
      find('checkpoint.forked', size, `checkpoint ${size} of ${boot} was cosigned with another root`)
  }
}
