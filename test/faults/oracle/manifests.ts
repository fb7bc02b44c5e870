/** Result manifests and sealed objects, as far as the judge must understand them. */
import type { Bucket } from './buckets.ts'
import { type Json, parseObject, textOf } from './json.ts'
import { sha256 } from './merkle.ts'

export type Manifest = {
  readonly name: string
  readonly createdAt: number
  readonly payload: Json
  /** Base64url SHA-256 of its bytes. */
  readonly digest: string
  /** What is signed, and the signature. */
  readonly signed: Buffer
  readonly signature: Buffer
}

export async function readManifests(bucket: Bucket): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = []
  for (const { name, createdAt, bytes } of bucket.values()) {
    if (!/^r\/[^/]+\/result$/.test(name)) continue
    const whole = await bytes()
    const [header = '', payload = '', signature = ''] = whole.toString('latin1').split('.')
    manifests.push({
      name,
      createdAt,
      payload: parseObject(Buffer.from(payload, 'base64url').toString('utf8')) ?? {},
      digest: sha256(whole).toString('base64url'),
      signed: Buffer.from(`${header}.${payload}`),
      signature: Buffer.from(signature, 'base64url'),
    })
  }
  return manifests
}

/** The seal id of each object of the outbox, with the digest of its header. */
export async function readSealIds(bucket: Bucket): Promise<ReadonlyMap<string, string>> {
  const digests = new Map<string, string>()
  for (const object of bucket.values()) {
    const bytes = await object.bytes()
    if (bytes.subarray(0, 8).toString('latin1') !== 'CWSEAL1\n') continue
    const header = bytes.subarray(12, 12 + bytes.readUInt32BE(8))
    const payload = header.toString('latin1').split('.')[1] ?? ''
    const sealId = textOf(parseObject(Buffer.from(payload, 'base64url').toString('utf8'))?.['sealId'])
    if (sealId !== '') digests.set(sealId, sha256(header).toString('base64url'))
  }
  return digests
}
