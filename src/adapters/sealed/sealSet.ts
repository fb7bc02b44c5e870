/**
 * Seals the files of a set into a new folder: a sealed object per file, named by its seal id, and the set record,
 * written last. A folder without it is no set.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { createFile, readFileUpTo } from '#adapters/system/files.ts'
import { toHex } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import {
  type ExportedFile,
  expectExport,
  MAX_EXPORT_MANIFEST_BYTES,
  parseExportManifest,
} from '#core/fhir/exportManifest.ts'
import { createLineSplitter } from '#core/fhir/lines.ts'
import { resourceTypeOf } from '#core/fhir/resourceType.ts'
import { signCompact } from '#core/jws.ts'
import { MAX_MEMBERS, ownName } from '#core/sealed/set.ts'
import { encodeSetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { type Dataset, type SealDeps, type SealedFile, sealFile } from './sealFile.ts'

/** The set record's file in the folder of a sealed set. */
export const SET_RECORD_FILE = 'set-record'
/** Types of one file that are told apart. */
const MAX_TYPES = 8

export type SetOptions = {
  /** In their order; a folder stands for its files in the order of their names. */
  readonly paths: readonly string[]
  /** A new folder. */
  readonly out: string
  /** The record's name in the bucket; by default the set's id, which reveals nothing. */
  readonly object?: string | undefined
  readonly contentType?: string | undefined
  readonly baseUrl?: string | undefined
  /** A bulk export's manifest, with which the files are compared. */
  readonly manifest?: string | undefined
}

export type SealedSet = {
  readonly folder: string
  readonly set: string
  /** Name of the set record. */
  readonly object: string
  readonly members: readonly SealedFile[]
}

/**
 * On failure it leaves no folder. Throws what `sealFile` throws, `usage.invalid` for no files or more than 64,
 * `export.malformed` and `export.incomplete`.
 */
export async function sealSet(dataset: Dataset, options: SetOptions, deps: SealDeps): Promise<SealedSet> {
  const { out, contentType, baseUrl } = options
  const set = toHex(randomBytes(16))
  const object = checkShape(ownName, options.object ?? set, '--object', 'usage.invalid')
  const manifest = options.manifest === undefined ? undefined : await readManifest(options.manifest)
  const files = await filesOf(options)
  if (files.length === 0 || files.length > MAX_MEMBERS)
    throw new CodedError('usage.invalid', `a set has 1 to ${MAX_MEMBERS} files, these are ${files.length}`)
  await createFolder(out)
  try {
    const members: SealedFile[] = []
    const exported: ExportedFile[] = []
    for (const file of files) {
      const sealId = toHex(randomBytes(16))
      const lines = createLineCounter()
      const member = { file, out: join(out, sealId), contentType, baseUrl, member: { set, sealId } }
      const sealed = await sealFile(dataset, member, { ...deps, ...(manifest && { observe: lines.push }) })
      members.push(sealed)
      exported.push({ name: basename(file), size: sealed.size, ...lines.counted() })
    }
    if (manifest !== undefined) expectExport(manifest, exported)
    const { tenant, dataset: id } = dataset
    const record = {
      v: 1 as const,
      tenant,
      dataset: id,
      set,
      name: object,
      members: members.map(({ sealId, headerDigest, size }) => ({ sealId, headerDigest, size })),
      sealedAt: deps.clock.now(),
    }
    const jws = await signCompact(SetRecordFormat, record, deps.signer)
    await createFile(join(out, SET_RECORD_FILE), [encodeSetRecord(jws)])
    return { folder: out, set, object, members }
  } catch (error) {
    await rm(out, { recursive: true, force: true })
    throw error
  }
}

async function readManifest(path: string) {
  return parseExportManifest(await readFileUpTo(path, MAX_EXPORT_MANIFEST_BYTES, 'input.unreadable'))
}

/** Without the manifest, if it lies among the files; hidden files are none. */
async function filesOf({ paths, manifest }: SetOptions): Promise<readonly string[]> {
  const lists = await Promise.all(
    paths.map(async (path) => {
      const isFolder = await stat(path).then(
        (found) => found.isDirectory(),
        () => false,
      )
      if (!isFolder) return [path]
      const names = await readdir(path)
      return names
        .filter((name) => !name.startsWith('.'))
        .sort()
        .map((name) => join(path, name))
    }),
  )
  return lists.flat().filter((file) => manifest === undefined || resolve(file) !== resolve(manifest))
}

async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    if (exists) throw new CodedError('output.exists', `${path} exists already`, { cause })
    throw new CodedError('output.unwritable', `${path} cannot be made`, { cause })
  }
}

function createLineCounter() {
  const splitter = createLineSplitter()
  const types = new Set<string>()
  let lines = 0
  const countLine = (line: Uint8Array | undefined) => {
    lines += 1
    // A line that is too long to read is counted. Few other types are enough to say that there are any.
    if (line !== undefined && types.size < MAX_TYPES) types.add(resourceTypeOf(line))
  }
  return {
    push: (chunk: Uint8Array) => splitter.push(chunk, countLine),
    counted: () => {
      splitter.end(countLine)
      return { lines, types: [...types].sort() }
    },
  }
}
