/**
 * Everything that the steps of an audit share: the collection, what was read from it, and the findings so
 * far.
 */
import type { OpenedManifest } from '../manifest.ts'
import type { Anchors } from './anchors.ts'
import type { Collection } from './collection.ts'
import type { Findings } from './finding.ts'
import type { Histories } from './histories.ts'
import type { Logs } from './logs.ts'

export type Context = {
  readonly collection: Collection
  readonly anchors: Anchors
  readonly histories: Histories
  readonly logs: Logs
  /** The manifests that verified, by result. */
  readonly manifests: ReadonlyMap<string, OpenedManifest>
  readonly findings: Findings
}
