/** Everything that a run left behind, read once for all invariants. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bucket, readBuckets } from './buckets.ts'
import { type EvidenceLog, readLogs } from './evidenceLog.ts'
import { type Json, linesOf, parseObject } from './json.ts'
import { type Manifest, readManifests, readSealIds } from './manifests.ts'
import { type Message, readStreams, type StreamState } from './streams.ts'
import type { World } from './world.ts'

export type Traces = {
  readonly world: World
  readonly streams: StreamState
  readonly deadLetters: readonly Message[]
  readonly manifests: readonly Manifest[]
  readonly workerState: Bucket
  readonly workerLogs: ReadonlyMap<string, EvidenceLog>
  readonly verifierLogs: ReadonlyMap<string, EvidenceLog>
  /** The digest of the header with this seal id. */
  readonly headerOf: ReadonlyMap<string, string>
  /** What the Vault has decrypted, in order. */
  readonly decryptions: readonly Json[]
  /** The names of all objects in the buckets of this run. */
  readonly objectNames: readonly string[]
}

/**
 * Streams and Vault are read before the buckets: whatever stands for a committed offset or an opened key was
 * stored before it, so a run may be judged while it goes on.
 */
export async function readTraces(world: World): Promise<Traces> {
  const { folders, streams, group, buckets } = world
  const state = await readStreams(folders.emulator, { jobs: streams.jobs, group })
  const decryptions = await readDecryptions(folders.emulator)
  const all = [
    buckets.results,
    buckets.workerEvidence,
    buckets.verifierEvidence,
    buckets.workerState,
    buckets.outbox,
  ]
  const read = await readBuckets(folders.emulator, all)
  const bucket = (name: string): Bucket => read[all.indexOf(name)] ?? new Map()
  return {
    world,
    streams: state,
    deadLetters: state.messages.filter(({ stream }) => stream === streams.deadLetters),
    manifests: await readManifests(bucket(buckets.results)),
    workerState: bucket(buckets.workerState),
    workerLogs: await readLogs(bucket(buckets.workerEvidence)),
    verifierLogs: await readLogs(bucket(buckets.verifierEvidence)),
    headerOf: await readSealIds(bucket(buckets.outbox)),
    decryptions,
    objectNames: read.flatMap((objects) => [...objects.keys()]),
  }
}

async function readDecryptions(folder: string): Promise<readonly Json[]> {
  const journal = await readFile(join(folder, 'vault', 'decryptions.journal'), 'utf8').catch(() => '')
  return linesOf(journal).map((line) => parseObject(line) ?? {})
}
