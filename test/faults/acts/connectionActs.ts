/** What happens to the connections between workers and Verifiers. */
import type { ActRow } from '../act.ts'

export const CONNECTION_ACTS: readonly ActRow[] = [
  {
    name: 'cut',
    weight: 3,
    draw: () => ({ about: {}, cutsOff: false, perform: async ({ balancer }) => balancer.cut() }),
  },
  {
    name: 'half-open',
    weight: 2,
    draw: () => ({ about: {}, cutsOff: false, perform: async ({ balancer }) => balancer.halfOpen() }),
  },
  {
    name: 'stall',
    weight: 2,
    draw: (random) => {
      const milliseconds = random.between(200, 3000)
      return {
        about: { milliseconds },
        cutsOff: false,
        perform: ({ balancer }) => balancer.stall(milliseconds),
      }
    },
  },
]
