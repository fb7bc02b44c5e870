/**
 * The content of Object Storage: an index in memory over the journal and the bodies. Every change is one
 * synchronous step without checks. The caller checks preconditions in the same turn, so exactly one of
 * several racing creates wins.
 */
import { join } from 'node:path'
import { roomFor } from '#lab/emulator/disk.ts'
import { openJournal } from '#lab/emulator/journal.ts'
import type { ServiceContext } from '#lab/emulator/service.ts'
import { type Bodies, openBodies } from './bodies.ts'
import { type Emission, Entry, type Part, type StoredObject, type Upload } from './entries.ts'
import { createNameIndex, type NameIndex } from './nameIndex.ts'

export type OpenUpload = Upload & { readonly parts: Map<number, Part> }

export type Store = {
  readonly bodies: Bodies
  readonly find: (bucketId: string, name: string) => StoredObject | undefined
  readonly names: (bucketId: string) => NameIndex
  readonly put: (
    bucketId: string,
    object: StoredObject,
    emission: Emission | undefined,
    uploadId?: string,
  ) => void
  readonly remove: (bucketId: string, name: string, emission: Emission | undefined) => void
  readonly upload: (id: string) => OpenUpload | undefined
  readonly beginUpload: (upload: Upload) => void
  readonly putPart: (uploadId: string, part: Part) => void
  readonly abortUpload: (uploadId: string) => void
  /** Events that not every function has received, including those of earlier runs. */
  readonly undelivered: () => readonly Emission[]
  readonly delivered: (eventId: string, ruleId: string) => void
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

type Bucket = { readonly objects: Map<string, StoredObject>; readonly names: NameIndex }

export async function openStore({
  folder,
  faults,
}: Pick<ServiceContext, 'folder' | 'faults'>): Promise<Store> {
  const buckets = new Map<string, Bucket>()
  const uploads = new Map<string, OpenUpload>()
  const emissions = new Map<string, { readonly event: Emission['event']; readonly ruleIds: Set<string> }>()

  const bucketOf = (id: string): Bucket => {
    const known = buckets.get(id) ?? { objects: new Map(), names: createNameIndex() }
    buckets.set(id, known)
    return known
  }
  const emit = (emission: Emission | undefined): void => {
    if (emission === undefined) return
    emissions.set(eventIdOf(emission.event), { event: emission.event, ruleIds: new Set(emission.ruleIds) })
  }

  /** The only function that changes the index, for requests and for the replay. */
  const apply = (entry: Entry): void => {
    switch (entry.op) {
      case 'put': {
        const { objects, names } = bucketOf(entry.bucketId)
        objects.set(entry.object.name, entry.object)
        names.add(entry.object.name)
        if (entry.uploadId !== undefined) uploads.delete(entry.uploadId)
        emit(entry.emission)
        return
      }
      case 'delete': {
        const { objects, names } = bucketOf(entry.bucketId)
        objects.delete(entry.name)
        names.remove(entry.name)
        emit(entry.emission)
        return
      }
      case 'upload':
        uploads.set(entry.upload.id, { ...entry.upload, parts: new Map() })
        return
      case 'part':
        uploads.get(entry.uploadId)?.parts.set(entry.part.number, entry.part)
        return
      case 'abort':
        uploads.delete(entry.uploadId)
        return
      case 'emit':
        emit(entry.emission)
        return
      case 'delivered': {
        const emission = emissions.get(entry.eventId)
        emission?.ruleIds.delete(entry.ruleId)
        if (emission?.ruleIds.size === 0) emissions.delete(entry.eventId)
        return
      }
    }
  }

  const undelivered = (): Emission[] =>
    [...emissions.values()].map(({ event, ruleIds }) => ({ event, ruleIds: [...ruleIds] }))

  function* snapshot(): Generator<Entry> {
    for (const [bucketId, { objects }] of buckets)
      for (const object of objects.values()) yield { op: 'put', bucketId, object }
    for (const { parts, ...upload } of uploads.values()) {
      yield { op: 'upload', upload }
      for (const part of parts.values()) yield { op: 'part', uploadId: upload.id, part }
    }
    for (const emission of undelivered()) yield { op: 'emit', emission }
  }

  const file = join(folder, 'journal.jsonl')
  const journal = await openJournal({
    file,
    claim: roomFor(file, faults),
    schema: Entry,
    replay: apply,
    snapshot,
  })
  const bodies = await openBodies(join(folder, 'bodies'), faults)
  await bodies.removeAllBut(namedFiles(buckets.values(), uploads.values()))

  const change = (entry: Entry): void => {
    journal.append(entry)
    apply(entry)
  }
  /** Removes bodies only when no durable record names them. After a failed flush every call fails anyway. */
  const discard = (segments: StoredObject['segments']): void => {
    void journal.flushed().then(
      () => bodies.remove(segments),
      () => undefined,
    )
  }

  return {
    bodies,
    find: (bucketId, name) => buckets.get(bucketId)?.objects.get(name),
    names: (bucketId) => bucketOf(bucketId).names,
    put: (bucketId, object, emission, uploadId) => {
      const before = buckets.get(bucketId)?.objects.get(object.name)
      const upload = uploadId === undefined ? undefined : uploads.get(uploadId)
      change({ op: 'put', bucketId, object, uploadId, emission })
      const kept = new Set(object.segments.map(({ file }) => file))
      const parts = [...(upload?.parts.values() ?? [])].map(({ segment }) => segment)
      discard([...(before?.segments ?? []), ...parts.filter(({ file }) => !kept.has(file))])
    },
    remove: (bucketId, name, emission) => {
      const before = buckets.get(bucketId)?.objects.get(name)
      change({ op: 'delete', bucketId, name, emission })
      discard(before?.segments ?? [])
    },
    upload: (id) => uploads.get(id),
    beginUpload: (upload) => change({ op: 'upload', upload }),
    putPart: (uploadId, part) => {
      const before = uploads.get(uploadId)?.parts.get(part.number)
      change({ op: 'part', uploadId, part })
      discard(before === undefined ? [] : [before.segment])
    },
    abortUpload: (uploadId) => {
      const parts = [...(uploads.get(uploadId)?.parts.values() ?? [])]
      change({ op: 'abort', uploadId })
      discard(parts.map(({ segment }) => segment))
    },
    undelivered,
    delivered: (eventId, ruleId) => change({ op: 'delivered', eventId, ruleId }),
    flushed: journal.flushed,
    close: journal.close,
  }
}

export function eventIdOf(event: Emission['event']): string {
  return event.eventID
}

function namedFiles(buckets: Iterable<Bucket>, uploads: Iterable<OpenUpload>): ReadonlySet<string> {
  const files = new Set<string>()
  for (const { objects } of buckets)
    for (const { segments } of objects.values()) for (const { file } of segments) files.add(file)
  for (const { parts } of uploads) for (const { segment } of parts.values()) files.add(segment.file)
  return files
}
