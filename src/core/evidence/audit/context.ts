/**
 * Everything that the steps of an audit share: the collection, what was read from it, and the findings so
 * far; and what a rule is.
 */
import type { Anchors } from './anchors.ts'
import type { Collection } from './collection.ts'
import type { Findings } from './finding.ts'
import type { Decided, Life, RefusedJobs } from './life.ts'
import type { Lives } from './lives.ts'
import type { AnyLogged } from './log/log.ts'
import type { Logs } from './log/logs.ts'
import type { Manifests } from './manifests.ts'
import type { Compute } from './tasks.ts'
import type { Witnessed } from './witnessed.ts'

export type Context = {
  readonly collection: Collection
  readonly anchors: Anchors
  readonly logs: Logs
  readonly witnessed: Witnessed
  readonly lives: Lives
  readonly manifests: Manifests
  readonly findings: Findings
  readonly compute: Compute
}

/**
 * One rule of the audit. It is called for what it names, in this order, and keeps no more of it than a
 * collection of any length allows.
 */
export type Rule = {
  /** Each entry of a registered boot, in order of time. */
  readonly entry?: (logged: AnyLogged) => void
  /** The first decision about each release, after `entry`. */
  readonly decision?: (decided: Decided) => void
  readonly refusal?: (refused: RefusedJobs) => void
  /** Each release once: when it is complete, or when the logs have ended. */
  readonly life?: (life: Life) => void | Promise<void>
  /** After every few hundred entries, for work that has to wait. */
  readonly catchUp?: () => Promise<void>
  /** When everything was read. */
  readonly end?: () => void | Promise<void>
}

/** A row of rules.ts. It may keep what it needs between two calls. */
export type RuleOf = (context: Context) => Rule
