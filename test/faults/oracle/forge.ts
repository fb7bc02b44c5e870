/**
 * A small world by hand, in which every invariant holds: object `a` has a result, object `b` is set aside.
 * Tests break one thing of it before it is written.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootOf, sha256 } from './merkle.ts'
import type { World } from './world.ts'

type Fields = Record<string, unknown>
type ForgedObject = { bucket: string; name: string; bytes: Buffer; createdAt: number }
type ForgedLog = {
  readonly bucket: string
  readonly boot: string
  /** Signs its manifests, and its checkpoints. */
  readonly key: KeyObject
  readonly noteKey: KeyObject
  readonly publicKey: Buffer
  /** Each with the time at which its checkpoint is stored. */
  entries: { fields: Fields; at: number }[]
}

export type Forged = {
  uploads: World['uploads'][number][]
  objects: ForgedObject[]
  /** Entries of the journal of the streams. */
  streams: Fields[]
  decryptions: Fields[]
  verifier: ForgedLog
  worker: ForgedLog
  manifest: { fields: Fields; at: number }
  canaries: string[]
  /** By name. */
  logs: Record<string, string | Buffer>
  /** Changes the bytes of objects just before they are written. */
  alter: ((name: string, bytes: Buffer) => void)[]
}

const JOBS = 'ocid1.stream..jobs'
const DEAD_LETTERS = 'ocid1.stream..dead-letters'
const RESULT = 'r'.repeat(64)
const NAMES = {
  results: 'results',
  workerEvidence: 'evidence-worker',
  verifierEvidence: 'evidence-verifier',
  workerState: 'worker-state',
  outbox: 'outbox',
}
const ISSUED = { releaseId: '01', grantDigest: 'grant' }
const ANNOUNCED = { releaseId: '01', resultId: RESULT, attempt: '02', contentDigest: 'content' }

export function forge(): Forged {
  const [a, b] = [sealed('a'), sealed('b')]
  const worker = emptyLog(NAMES.workerEvidence)
  const verifier = emptyLog(NAMES.verifierEvidence)
  verifier.entries = [
    { fields: { event: 'log.opened' }, at: 100 },
    { fields: { event: 'release.decided', releaseId: '01', headerDigests: [a.headerDigest] }, at: 1000 },
    { fields: { event: 'release.issued', ...ISSUED }, at: 1200 },
  ]
  worker.entries = [
    { fields: { event: 'log.opened' }, at: 100 },
    { fields: { event: 'key.received', jobId: 'a', ...ISSUED }, at: 1300 },
    { fields: { event: 'result.intent', ...ANNOUNCED }, at: 1400 },
  ]
  return {
    uploads: [
      upload('a', a, { result: true, deadLetter: [] }),
      upload('b', b, { result: false, deadLetter: ['object.unsigned'] }),
    ],
    objects: [
      { bucket: NAMES.outbox, name: 'a', bytes: a.bytes, createdAt: 500 },
      { bucket: NAMES.outbox, name: 'b', bytes: b.bytes, createdAt: 500 },
      state('attempt/a/0/1/claim', `${worker.boot}/1/00`),
      state('attempt/a/0/1/end', 'done'),
      state('done/a', RESULT),
      state('attempt/b/0/1/claim', `${worker.boot}/1/00`),
      state('attempt/b/0/1/end', 'failed object.unsigned'),
    ],
    streams: [
      message(JOBS, 0, 0, { jobId: 'a' }),
      message(JOBS, 1, 0, { jobId: 'b' }),
      message(DEAD_LETTERS, 0, 0, { jobId: 'b', code: 'object.unsigned' }),
      { kind: 'commit', stream: JOBS, group: 'workers', partition: 0, offset: 1 },
      { kind: 'commit', stream: JOBS, group: 'workers', partition: 1, offset: 1 },
    ],
    decryptions: [{ time: 1100, associatedData: { sealId: 'seal-a' } }],
    verifier,
    worker,
    manifest: {
      fields: { ...ANNOUNCED, ...ISSUED, boot: worker.boot, headerDigests: [a.headerDigest], intentIndex: 2 },
      at: 1500,
    },
    canaries: ['Mustermann'],
    logs: { 'worker-1': '{"msg":"ready"}\n' },
    alter: [],
  }
}

export function state(name: string, text: string): ForgedObject {
  return { bucket: NAMES.workerState, name, bytes: Buffer.from(text), createdAt: 1600 }
}

export function message(
  stream: 'jobs' | 'dead-letters' | string,
  partition: number,
  offset: number,
  body: Fields,
): Fields {
  const value = Buffer.from(JSON.stringify(body)).toString('base64')
  const id = stream === 'jobs' ? JOBS : stream === 'dead-letters' ? DEAD_LETTERS : stream
  return { kind: 'put', stream: id, partition, offset, key: null, value, time: 1450 }
}

/** Writes what the emulator would have left behind. */
export async function writeWorld(forged: Forged, root: string): Promise<World> {
  const emulator = join(root, 'emulator')
  const objects = [
    ...forged.objects,
    ...logObjects(forged.verifier),
    ...logObjects(forged.worker),
    manifestOf(forged),
  ]
  const folders = ['objectstorage/bodies', 'streaming', 'vault'].map((name) => join(emulator, name))
  for (const folder of [...folders, join(root, 'logs')]) await mkdir(folder, { recursive: true })
  for (const { name, bytes } of objects) for (const alter of forged.alter) alter(name, bytes)
  for (const [index, { bytes }] of objects.entries())
    await writeFile(join(emulator, 'objectstorage', 'bodies', String(index)), bytes)
  const puts = objects.map(({ bucket, name, createdAt, bytes }, index) => ({
    op: 'put',
    bucketId: `ocid1.bucket..${bucket}`,
    object: { name, createdAt, segments: [{ file: String(index), size: bytes.byteLength }] },
  }))
  await writeFile(join(emulator, 'objectstorage', 'journal.jsonl'), toLines(puts))
  await writeFile(join(emulator, 'streaming', 'streams.journal'), toLines(forged.streams))
  await writeFile(join(emulator, 'vault', 'decryptions.journal'), toLines(forged.decryptions))
  for (const [name, text] of Object.entries(forged.logs))
    await writeFile(join(root, 'logs', `${name}.log`), text)
  return {
    endpoint: '',
    folders: {
      root,
      emulator,
      logs: join(root, 'logs'),
      metrics: join(root, 'metrics'),
      evidence: join(root, 'evidence'),
    },
    uploads: forged.uploads,
    canaries: forged.canaries,
    streams: { jobs: JOBS, deadLetters: DEAD_LETTERS },
    group: 'workers',
    buckets: NAMES,
  }
}

function sealed(name: string): { readonly bytes: Buffer; readonly headerDigest: string } {
  const payload = Buffer.from(JSON.stringify({ sealId: `seal-${name}` })).toString('base64url')
  const header = Buffer.from(`e30.${payload}.c2ln`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(header.byteLength)
  return {
    bytes: Buffer.concat([Buffer.from('CWSEAL1\n'), length, header, Buffer.alloc(200)]),
    headerDigest: sha256(header).toString('base64url'),
  }
}

function upload(
  name: string,
  { bytes, headerDigest }: ReturnType<typeof sealed>,
  expected: World['uploads'][number]['expected'],
): World['uploads'][number] {
  const place = { namespace: 'hospital', bucket: 'outbox', object: name, etag: 'etag' }
  return { name, ...place, jobId: name, sha256: sha256(bytes).toString('base64url'), headerDigest, expected }
}

function emptyLog(bucket: string): ForgedLog {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return { bucket, boot: bootOf(raw), key: privateKey, noteKey: privateKey, publicKey: raw, entries: [] }
}

/** Base32 by arithmetic, unlike the reader's. */
function bootOf(publicKey: Buffer): string {
  let number = BigInt(`0x${sha256(publicKey).toString('hex')}0`) // 260 bits
  let text = ''
  for (let digit = 0; digit < 52; digit += 1) {
    text = `${'abcdefghijklmnopqrstuvwxyz234567'[Number(number % 32n)]}${text}`
    number /= 32n
  }
  return text.slice(0, 26)
}

/** One flush per entry. */
function logObjects({ bucket, boot, noteKey, publicKey, entries }: ForgedLog): readonly ForgedObject[] {
  const bytes = entries.map(({ fields }) => Buffer.from(JSON.stringify(fields)))
  const vkey = `origin/${boot}+00000000+${Buffer.concat([Buffer.from([1]), publicKey]).toString('base64')}`
  const objects: ForgedObject[] = [{ bucket, name: `${boot}/key`, bytes: Buffer.from(vkey), createdAt: 100 }]
  for (const [index, { at }] of entries.entries()) {
    const size = index + 1
    const bundle = bytes.slice(0, size).flatMap((entry) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(entry.byteLength)
      return [length, entry]
    })
    const text = `origin/${boot}\n${size}\n${rootOf(bytes.slice(0, size)).toString('base64')}\n`
    const signature = Buffer.concat([Buffer.alloc(4), sign(null, Buffer.from(text), noteKey)])
    const note = `${text}\n\u2014 origin/${boot} ${signature.toString('base64')}\n`
    const tile = { name: `${boot}/tile/entries/000.p/${size}`, bytes: Buffer.concat(bundle) }
    const checkpoint = {
      name: `${boot}/checkpoint/${String(size).padStart(20, '0')}`,
      bytes: Buffer.from(note),
    }
    for (const object of [tile, checkpoint]) objects.push({ bucket, ...object, createdAt: at })
  }
  return objects
}

function manifestOf({ manifest, worker }: Forged): ForgedObject {
  const payload = Buffer.from(JSON.stringify(manifest.fields)).toString('base64url')
  const signed = `e30.${payload}`
  const signature = sign(null, Buffer.from(signed), worker.key).toString('base64url')
  const name = `r/${RESULT}/result`
  return { bucket: NAMES.results, name, bytes: Buffer.from(`${signed}.${signature}`), createdAt: manifest.at }
}

function toLines(entries: readonly Fields[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
}
