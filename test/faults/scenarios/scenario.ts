/** A scenario: one cause that lasts, with a bound for the time until the pool is whole after its end. */
import type { Site, SiteOptions } from '../site.ts'

export type UploadOptions = {
  /** Each `released` of such an object ends its worker. */
  readonly kills?: boolean
  /** The processing of its content ends every worker, so that it has no result. */
  readonly exhausts?: boolean
  readonly lines?: string
}

export type Stage = {
  readonly site: Site
  /** How long a cause without a length of its own lasts. */
  readonly minutes: number
  /** Uploads this many further objects. */
  readonly upload: (count: number, options?: UploadOptions) => Promise<void>
  /** Undoes something after the pool is whole again. */
  readonly atEnd: (undo: () => Promise<void>) => void
  /** Uploads an object every few seconds until `cause` ends. What fails is uploaded after it. */
  readonly under: (cause: Promise<unknown>) => Promise<void>
}

export type Scenario = {
  readonly name: string
  readonly about: string
  /** Seconds until the pool is whole after the cause's end. Without it a minute. */
  readonly bound?: number
  /** A deployment of its own. */
  readonly site?: SiteOptions
  /** Further variables for every program that inherits the environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** Why it cannot run on this machine. */
  readonly needs?: () => Promise<string | undefined>
  /** Returns at the end of the cause. Faults that are still armed end with it. */
  readonly cause: (stage: Stage) => Promise<void>
}
