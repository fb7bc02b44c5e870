/** An act: one thing that goes wrong in a run, drawn from the seed before the run begins. */
import type { Random } from './random.ts'
import type { Site } from './site.ts'

export type Drawn = {
  /** What the record of the run shows. */
  readonly about: Readonly<Record<string, string | number>>
  /**
   * Whether a worker in the middle of a job may be cut off from ending its attempt. Three such ends set a job
   * aside for a good reason, so a schedule has fewer.
   */
  readonly cutsOff: boolean
  /** Resolves when the act is over, or leaves the rest to the end of the run, which clears all faults. */
  readonly perform: (site: Site) => Promise<void>
}

export type ActRow = {
  readonly name: string
  readonly weight: number
  readonly draw: (random: Random) => Drawn
}
