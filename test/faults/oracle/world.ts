/**
 * The interface between the fault runs and their judge: what a run did, and where its traces lie. The judge
 * shares no other code with the system, so that a mistake in the writers is not repeated by their reader.
 */

/** What a run knows of one object that it uploaded. Bytes as the services show them, never parsed by us. */
export type UploadedObject = {
  /** The name of the object within the run, such as `seed-7-object-3`. */
  readonly name: string
  readonly namespace: string
  readonly bucket: string
  /** Its name in the bucket. */
  readonly object: string
  readonly etag: string
  readonly jobId: string
  /** Base64url SHA-256 of the whole sealed object, and of the header in it. */
  readonly sha256: string
  readonly headerDigest: string
  /** The data key under which it is sealed; undefined if it is none of ours. */
  readonly dek?: Buffer | undefined
  readonly expected: Expectation
}

/** The permitted ends of an object: at least one. It must reach exactly one of them. */
export type Expectation = {
  readonly result: boolean
  /** The codes under which it may be set aside. Empty: a dead letter is a violation. */
  readonly deadLetter: readonly string[]
}

/** The state after a run: every fault is over and the pool has come to rest. */
export type World = {
  /** The emulator's base URL, with its control below `/emulator/`. */
  readonly endpoint: string
  readonly folders: {
    readonly root: string
    /** `<program>.log`, one JSON line per event. */
    readonly logs: string
    /** The emulator's journals and bodies. */
    readonly emulator: string
    /** `<program>.prom`: the text of `/metrics`, scraped at the end of each run. */
    readonly metrics: string
    /** What the last audit has exported. */
    readonly evidence: string
  }
  readonly uploads: readonly UploadedObject[]
  /** Words of patients that may appear nowhere. */
  readonly canaries: readonly string[]
  readonly streams: { readonly jobs: string; readonly deadLetters: string }
  readonly group: string
  /** Of the consumer and the provider, by their role in the configuration. */
  readonly buckets: {
    readonly results: string
    readonly workerEvidence: string
    readonly verifierEvidence: string
    readonly workerState: string
    readonly outbox: string
  }
}

/** One invariant that does not hold. */
export type Violation = {
  /** A short dotted name, such as `object.unended`. The same name for the same invariant in every run. */
  readonly invariant: string
  /** The object, program, log or partition that it is about. */
  readonly subject: string
  readonly text: string
}
