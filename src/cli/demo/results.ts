/** Waiting for what workers publish, as anyone sees it who may read the results bucket. */
import { CodedError, codeOf } from '#core/errors.ts'
import { peekCompact } from '#core/jws.ts'
import { type ResultManifest, ResultManifestFormat } from '#core/sealed/manifest.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { CONSUMER } from './names.ts'

const POLL_MILLISECONDS = 150
const MAX_MANIFEST_BYTES = 12 * 1024 * 1024
const MANIFEST_NAME = /^r\/[0-9a-f]{64}\/result$/

/**
 * The manifest of the result over the object with this header digest; read, not verified, which `open` does. Throws
 * `internal.fault` where none has come within `milliseconds`; what the services refuse meanwhile is asked again.
 */
export async function waitForResult(
  store: Pick<ObjectStore, 'list' | 'readAll'>,
  headerDigest: string,
  milliseconds: number,
  sleep: (milliseconds: number) => Promise<void>,
): Promise<ResultManifest> {
  const seen = new Set<string>()
  for (const deadline = performance.now() + milliseconds; performance.now() < deadline; ) {
    try {
      const manifest = await findNew(store, headerDigest, seen)
      if (manifest !== undefined) return manifest
    } catch (error) {
      if (codeOf(error) !== 'service.unavailable') throw error
    }
    await sleep(POLL_MILLISECONDS)
  }
  throw new CodedError('internal.fault', `no result has come within ${milliseconds / 1000} s`)
}

async function findNew(
  store: Pick<ObjectStore, 'list' | 'readAll'>,
  headerDigest: string,
  seen: Set<string>,
): Promise<ResultManifest | undefined> {
  const place = { namespace: CONSUMER.namespace, bucket: 'results' }
  for await (const { name } of store.list(place, 'r/')) {
    if (seen.has(name) || !MANIFEST_NAME.test(name)) continue
    const bytes = await store.readAll({ ...place, name }, MAX_MANIFEST_BYTES)
    const { payload } = peekCompact(ResultManifestFormat, bytes.toString('latin1'), 'record.malformed')
    if (payload.headerDigests.includes(headerDigest)) return payload
    seen.add(name)
  }
  return undefined
}
