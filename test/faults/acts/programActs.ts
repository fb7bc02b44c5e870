/** What happens to processes and to the pool. */
import type { ActRow, Drawn } from '../act.ts'
import type { Random } from '../random.ts'
import { SPARE_WORKERS, VERIFIERS, WORKERS } from '../site.ts'

const PROGRAMS = [...WORKERS, ...VERIFIERS, 'function', 'emulator'] as const
/** The simulated machines that the hospital has not approved: a worker on them gets no key. */
const WRONG_WORKERS = ['probe-unapproved', 'probe-debug', 'probe-platform'] as const

export const PROGRAM_ACTS: readonly ActRow[] = [
  {
    name: 'kill',
    weight: 10,
    draw: (random) => {
      const program = random.pick(PROGRAMS)
      return {
        about: { program },
        cutsOff: holdsAttempts(program),
        perform: async ({ pool }) => pool.signal(program, 'SIGKILL'),
      }
    },
  },
  {
    name: 'freeze',
    weight: 6,
    draw: (random) => {
      const program = random.pick(PROGRAMS)
      const milliseconds = random.between(500, 5000)
      return {
        about: { program, milliseconds },
        cutsOff: holdsAttempts(program),
        perform: ({ pool }) => pool.freeze(program, milliseconds),
      }
    },
  },
  {
    name: 'restart',
    weight: 4,
    draw: (random) => {
      const program = random.pick(PROGRAMS)
      return {
        about: { program },
        cutsOff: program === 'emulator',
        perform: async ({ pool }) => pool.signal(program, 'SIGTERM'),
      }
    },
  },
  {
    name: 'half-the-pool',
    weight: 1,
    draw: (random) => {
      const spared = random.pick(WORKERS)
      const verifier = random.pick(VERIFIERS)
      return {
        about: { spared, verifier },
        cutsOff: true,
        perform: async ({ pool }) => {
          for (const name of [verifier, ...WORKERS.filter((worker) => worker !== spared)])
            pool.signal(name, 'SIGKILL')
        },
      }
    },
  },
  {
    name: 'grow-and-shrink',
    weight: 2,
    draw: (random) => {
      const milliseconds = random.between(1500, 4000)
      return {
        about: { milliseconds },
        cutsOff: false,
        perform: async ({ pool, pause }) => {
          for (const name of SPARE_WORKERS) pool.start(name)
          await pause(milliseconds)
          for (const name of SPARE_WORKERS) await pool.stop(name)
        },
      }
    },
  },
  { name: 'wrong-worker', weight: 1, draw: wrongWorker },
]

function wrongWorker(random: Random): Drawn {
  const name = random.pick(WRONG_WORKERS)
  const milliseconds = random.between(2000, 4000)
  return {
    about: { name, milliseconds },
    cutsOff: false,
    perform: async ({ pool, pause }) => {
      pool.start(name)
      await pause(milliseconds)
      await pool.stop(name)
    },
  }
}

/** Workers hold them, and the emulator stores their ends. */
function holdsAttempts(program: string): boolean {
  return program === 'emulator' || program.startsWith('worker')
}
