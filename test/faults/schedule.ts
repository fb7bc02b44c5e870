/** What happens in a run, drawn from its seed: the objects that are uploaded, and the acts that disturb them. */
import type { ActRow, Drawn } from './act.ts'
import { CONNECTION_ACTS } from './acts/connectionActs.ts'
import { PROGRAM_ACTS } from './acts/programActs.ts'
import { LATER_ACTS, SERVICE_ACTS } from './acts/serviceActs.ts'
import { createRandom, type Random } from './random.ts'

const ACTS: readonly ActRow[] = [...PROGRAM_ACTS, ...SERVICE_ACTS, ...CONNECTION_ACTS]

/** Drawn from numbers of their own, so that the other acts of a seed stay as they were. */
const LATER_STREAM = 2 ** 31
const LATER_PROBABILITY = 1 / 8
const ACTS_PER_RUN = [3, 8] as const
const OBJECTS_PER_RUN = [6, 12] as const
/** Within this time all objects are uploaded; within the other, all acts begin. */
const UPLOAD_MS = 2000
const ACT_MS = 4000
/** Workers that may be cut off from an attempt: one fewer than sets a job aside. */
const CUTS_PER_RUN = 2
const KILLER_PROBABILITY = 1 / 6
const BAD_PROBABILITY = 1 / 4

export type PlannedObject = {
  readonly name: string
  /** Milliseconds since the begin of the run. */
  readonly at: number
  /** Ends its worker as soon as it has its key. */
  readonly kills: boolean
  /** Chooses the object that never opens; undefined for a good one. */
  readonly bad: number | undefined
}
export type PlannedAct = Drawn & { readonly name: string; readonly at: number }

export type Schedule = {
  readonly seed: number
  readonly objects: readonly PlannedObject[]
  /** Milliseconds since the begin of the run, in their order. */
  readonly acts: readonly PlannedAct[]
}

export function scheduleOf(seed: number): Schedule {
  const random = createRandom(seed)
  const objects = drawObjects(random, seed)
  const killers = objects.filter(({ kills }) => kills).length
  return { seed, objects, acts: drawActs(random, createRandom(seed + LATER_STREAM), CUTS_PER_RUN - killers) }
}

function drawObjects(random: Random, seed: number): readonly PlannedObject[] {
  const count = random.between(...OBJECTS_PER_RUN)
  const killer = random.chance(KILLER_PROBABILITY) ? random.between(0, count - 1) : -1
  const bad = random.chance(BAD_PROBABILITY) ? random.between(0, count - 1) : -1
  const badKind = random.between(0, 99)
  // A burst meets the workers as one batch.
  const isBurst = random.chance(0.5)
  return Array.from({ length: count }, (_, index) => ({
    name: `seed-${seed}-object-${index}`,
    at: isBurst ? 0 : random.between(0, UPLOAD_MS),
    kills: index === killer,
    bad: index === bad && index !== killer ? badKind : undefined,
  }))
}

function drawActs(random: Random, later: Random, cuts: number): readonly PlannedAct[] {
  const acts: PlannedAct[] = []
  const count = random.between(...ACTS_PER_RUN)
  let left = cuts
  while (acts.length < count) {
    const row = random.weighted(ACTS)
    const drawn = row.draw(random)
    if (drawn.cutsOff && left === 0) continue
    if (drawn.cutsOff) left -= 1
    acts.push({ ...drawn, name: row.name, at: random.between(0, ACT_MS) })
  }
  for (const row of LATER_ACTS)
    if (later.chance(LATER_PROBABILITY))
      acts.push({ ...row.draw(later), name: row.name, at: later.between(0, ACT_MS) })
  return acts.sort((a, b) => a.at - b.at)
}
