/** Lists the objects of a bucket in the order of their names. */
import { invalidParameter } from '#lab/emulator/service.ts'
import type { StoredObject } from './entries.ts'
import { compareNames } from './nameIndex.ts'
import type { Store } from './store.ts'

const MAX_LIMIT = 1000

/** The fields of an object summary that a listing can be asked for. */
const FIELDS: Readonly<Record<string, (object: StoredObject) => unknown>> = {
  name: ({ name }) => name,
  size: ({ size }) => size,
  etag: ({ etag }) => etag,
  md5: ({ md5 }) => md5,
  timeCreated: ({ createdAt }) => new Date(createdAt).toISOString(),
  timeModified: ({ modifiedAt }) => new Date(modifiedAt).toISOString(),
}

/** ListObjects: `prefix`, `start` (inclusive), `startAfter`, `end` (exclusive), `limit`, `fields`. */
export function listObjects(store: Store, bucketId: string, query: URLSearchParams): object {
  if (query.has('delimiter')) throw invalidParameter('delimiter is not served by the emulator')
  const prefix = query.get('prefix') ?? ''
  const after = query.get('startAfter') ?? ''
  const end = query.get('end')
  const limit = parseLimit(query.get('limit'))
  const fields = parseFields(query.get('fields'))
  const begin = [prefix, query.get('start') ?? '', after].sort(compareNames).at(-1) ?? ''

  const objects: Record<string, unknown>[] = []
  let nextStartWith: string | undefined
  for (const name of store.names(bucketId).from(begin)) {
    if (!name.startsWith(prefix)) break
    if (end !== null && compareNames(name, end) >= 0) break
    if (after !== '' && name === after) continue
    if (objects.length === limit) {
      nextStartWith = name
      break
    }
    const object = store.find(bucketId, name)
    if (object !== undefined)
      objects.push(Object.fromEntries(fields.map((field) => [field, FIELDS[field]?.(object)])))
  }
  return { objects, prefixes: [], ...(nextStartWith === undefined ? {} : { nextStartWith }) }
}

function parseLimit(text: string | null): number {
  const limit = text === null ? MAX_LIMIT : Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalidParameter(`limit must be 1 to ${MAX_LIMIT}`)
  return limit
}

function parseFields(text: string | null): readonly string[] {
  const fields = text === null ? ['name'] : ['name', ...text.split(',').filter((field) => field !== 'name')]
  const unknown = fields.find((field) => !Object.hasOwn(FIELDS, field))
  if (unknown !== undefined) throw invalidParameter(`the field ${unknown} is not served by the emulator`)
  return fields
}
