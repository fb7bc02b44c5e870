/**
 * The judge of a run. It imports neither the system nor the laboratory: it reads what they wrote by code of
 * its own, so that no mistake of a writer is repeated by its reader.
 */
import { judgeAttempts } from './invariants/attempts.ts'
import { judgeEnds } from './invariants/ends.ts'
import { judgeGrants } from './invariants/grants.ts'
import { judgeKeys } from './invariants/keys.ts'
import { judgeLeaks } from './invariants/leaks.ts'
import { judgeOffsets } from './invariants/offsets.ts'
import { readTraces, type Traces } from './traces.ts'
import type { Violation, World } from './world.ts'

type Invariant = (traces: Traces) => readonly Violation[] | Promise<readonly Violation[]>

const AT_REST: readonly Invariant[] = [
  judgeEnds,
  judgeGrants,
  judgeKeys,
  judgeOffsets,
  judgeAttempts,
  judgeLeaks,
]
/** These hold at any moment, also in the middle of a run. */
const ALWAYS: readonly Invariant[] = [judgeGrants, judgeKeys, judgeOffsets, judgeAttempts]

export function judge(world: World): Promise<readonly Violation[]> {
  return judgeBy(AT_REST, world)
}

export function judgeMeanwhile(world: World): Promise<readonly Violation[]> {
  return judgeBy(ALWAYS, world)
}

async function judgeBy(invariants: readonly Invariant[], world: World): Promise<readonly Violation[]> {
  const traces = await readTraces(world)
  const violations: Violation[] = []
  for (const invariant of invariants) violations.push(...(await invariant(traces)))
  return violations
}
