/** The speed of calls by their processor time, so other load on the machine counts for neither side. */

export type Pace = {
  readonly rounds: number
  /** Rounds before the measured ones. */
  readonly warmUpRounds: number
  readonly roundSeconds: number
}

/**
 * Calls per second of processor time: the median of many short rounds. The calls alternate, so other load
 * affects all alike.
 */
export function speedsOf<const Calls extends readonly (() => unknown)[]>(
  calls: Calls,
  { rounds, warmUpRounds, roundSeconds }: Pace,
): { [Index in keyof Calls]: number } {
  const speeds = calls.map((): number[] => [])
  for (let round = -warmUpRounds; round < rounds; round += 1)
    calls.forEach((call, index) => {
      const speed = speedOf(call, roundSeconds)
      if (round >= 0) speeds[index]?.push(speed)
    })
  // map() loses the length of the tuple.
  return speeds.map(medianOf) as { [Index in keyof Calls]: number }
}

/** The same for asynchronous calls, with the time of all threads. */
export async function laterSpeedsOf<const Calls extends readonly (() => unknown)[]>(
  calls: Calls,
  { rounds, warmUpRounds, roundSeconds }: Pace,
): Promise<{ [Index in keyof Calls]: number }> {
  const speeds = calls.map((): number[] => [])
  for (let round = -warmUpRounds; round < rounds; round += 1)
    for (const [index, call] of calls.entries()) {
      const speed = await laterSpeedOf(call, roundSeconds)
      if (round >= 0) speeds[index]?.push(speed)
    }
  // map() loses the length of the tuple.
  return speeds.map(medianOf) as { [Index in keyof Calls]: number }
}

async function laterSpeedOf(call: () => unknown, roundSeconds: number): Promise<number> {
  const from = process.cpuUsage()
  let runs = 0
  let seconds = 0
  while (seconds < roundSeconds) {
    await call()
    runs += 1
    const { user, system } = process.cpuUsage(from)
    seconds = (user + system) / 1e6
  }
  return runs / seconds
}

function speedOf(call: () => unknown, roundSeconds: number): number {
  const from = process.cpuUsage()
  let runs = 0
  let seconds = 0
  while (seconds < roundSeconds) {
    call()
    runs += 1
    const { user, system } = process.cpuUsage(from)
    seconds = (user + system) / 1e6
  }
  return runs / seconds
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
