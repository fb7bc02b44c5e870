/**
 * The work of an audit that needs bytes only and takes the most time: signatures. Each task is a pure function
 * of what can be copied to a thread. It never throws for what a collection holds: a problem is a value.
 */
import type { Registration } from '../../boot/registration.ts'
import { fromUtf8, sha256 } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import type { GrantCa } from '../../policy/verifierKeys.ts'
import { openCheckpoint } from '../checkpoint.ts'
import { type OpenedManifest, openManifest } from '../manifest.ts'
import type { NoteKey } from '../note.ts'
import type { CaseObjects, Problem as CaseProblem, CaseRules, RecordedCase } from '../review/case.ts'
import { Chains } from '../review/chains.ts'
import { reviewCase } from '../review/review.ts'
import { cosignedSize } from '../witness/acceptance.ts'
import { openWitnessed } from '../witness/witnessed.ts'
import { messageOf } from './finding.ts'

type Problem = { readonly problem: string }

type NotesTask = {
  readonly key: NoteKey
  /** `bytes` is empty if the object is absent. */
  readonly notes: readonly { readonly size: number; readonly bytes: Uint8Array }[]
}
export type OpenedCheckpoint = { readonly digest: Uint8Array; readonly root: Uint8Array }

type ManifestsTask = {
  readonly manifests: readonly {
    readonly resultId: string
    readonly bytes: Uint8Array
    /** Of the boots that it names. */
    readonly worker: Registration | undefined
    readonly verifier: Registration | undefined
  }[]
  readonly grantCas: readonly GrantCa[]
}

type CosignedTask = {
  readonly notes: readonly {
    readonly bytes: Uint8Array
    /** The size up to which the log was cosigned before. */
    readonly before: number
    readonly worker: Registration
    /** Of the boot that it names. */
    readonly verifier: Registration | undefined
  }[]
}
export type OpenedCosigned = { readonly size: number; readonly root: Uint8Array }

type RequestsTask = {
  readonly rules: CaseRules
  readonly cases: readonly { readonly recorded: RecordedCase; readonly objects: CaseObjects }[]
}

type Tasks = {
  readonly checkpoints: (task: NotesTask) => readonly (OpenedCheckpoint | Problem)[]
  readonly manifests: (task: ManifestsTask) => readonly (OpenedManifest | Problem)[]
  readonly cosigned: (task: CosignedTask) => readonly (OpenedCosigned | Problem)[]
  readonly requests: (task: RequestsTask) => readonly (readonly CaseProblem[])[]
}

/** Of this thread. Chains are the same for all requests of a machine. */
const CHAINS = new Chains()

const TASKS: Tasks = {
  checkpoints: ({ key, notes }) => {
    // A copy that came from another thread has plain bytes.
    const signer = { ...key, id: Buffer.from(key.id) }
    return notes.map(({ size, bytes }) =>
      attempt(() => {
        const { size: stated, root } = openCheckpoint(fromUtf8(bytes, 'a checkpoint'), signer)
        if (stated !== size) throw new CodedError('evidence.inconsistent', `its size is ${stated}`)
        return { digest: sha256(bytes), root }
      }),
    )
  },
  manifests: ({ manifests, grantCas }) =>
    manifests.map(({ resultId, bytes, worker, verifier }) =>
      attempt(() => openManifest(fromUtf8(bytes, 'a manifest'), resultId, { worker, verifier, grantCas })),
    ),
  cosigned: ({ notes }) =>
    notes.map(({ bytes, before, worker, verifier }) =>
      attempt(() => {
        const { note, checkpoint } = openWitnessed(bytes, before, worker)
        cosignedSize(note, worker, verifier)
        return { size: checkpoint.size, root: checkpoint.root }
      }),
    ),
  requests: ({ rules, cases }) =>
    cases.map(({ recorded, objects }) => reviewCase(recorded, objects, rules, CHAINS)),
}

/** Runs a task, here or in a thread. */
export type Compute = <Name extends keyof Tasks>(
  name: Name,
  task: Parameters<Tasks[Name]>[0],
) => Promise<ReturnType<Tasks[Name]>>

export type TaskName = keyof Tasks

/** `task` is what `Compute` was given for this name, or a copy of it. */
export function runTask(name: TaskName, task: unknown): never {
  const run = TASKS[name] as (task: unknown) => never
  return run(task)
}

/** Runs each task at once, in this thread. */
export const computeHere: Compute = async (name, task) => runTask(name, task)

function attempt<T>(work: () => T): T | Problem {
  try {
    return work()
  } catch (error) {
    return { problem: messageOf(error) }
  }
}
