/**
 * One log of evidence, read from its bucket: the key beside it, the signature and the root of its last
 * checkpoint, and the entries that this checkpoint covers.
 */
import { createPublicKey, verify } from 'node:crypto'
import type { Bucket, StoredObject } from './buckets.ts'
import { type Json, parseObject } from './json.ts'
import { rootOf, sha256 } from './merkle.ts'

const BUNDLE = 256
const CHECKPOINT = /^([a-z2-7]{26})\/checkpoint\/([0-9]{20})$/

export type LoggedEntry = {
  readonly index: number
  readonly fields: Json
  /** When the first checkpoint over it was stored, in milliseconds of the emulator's clock. */
  readonly durableAt: number
}

export type EvidenceLog = {
  readonly boot: string
  readonly publicKey: Buffer
  readonly entries: readonly LoggedEntry[]
  /** What does not fit together. Empty for a whole log. */
  readonly faults: readonly string[]
}

/** Every log of the bucket that has a checkpoint. */
export async function readLogs(bucket: Bucket): Promise<ReadonlyMap<string, EvidenceLog>> {
  const checkpoints = new Map<string, { readonly size: number; readonly object: StoredObject }[]>()
  for (const object of bucket.values()) {
    const [, boot = '', digits] = CHECKPOINT.exec(object.name) ?? []
    if (digits === undefined) continue
    const known = checkpoints.get(boot) ?? []
    checkpoints.set(boot, [...known, { size: Number(digits), object }])
  }
  const logs = new Map<string, EvidenceLog>()
  for (const [boot, all] of checkpoints) {
    all.sort((a, b) => a.size - b.size)
    logs.set(boot, await readLog(bucket, boot, all))
  }
  return logs
}

async function readLog(
  bucket: Bucket,
  boot: string,
  checkpoints: readonly { readonly size: number; readonly object: StoredObject }[],
): Promise<EvidenceLog> {
  const faults: string[] = []
  const last = checkpoints.at(-1)
  if (last === undefined) throw new RangeError('a log has a checkpoint')
  const publicKey = keyOf((await bucket.get(`${boot}/key`)?.bytes())?.toString('utf8') ?? '')
  if (base32(sha256(publicKey)).slice(0, 26) !== boot) faults.push('the key beside the log is another')
  const entries = await readEntries(bucket, boot, last.size)
  if (entries.length !== last.size)
    faults.push(`${entries.length} entries under a checkpoint of ${last.size}`)

  const [text = '', signatures = ''] = (await last.object.bytes()).toString('utf8').split(/(?<=\n)\n/)
  const [origin = '', size, root] = text.split('\n')
  const signed = signatures.split('\n').some((line) => {
    const [dash, name, base64 = ''] = line.split(' ')
    // Four bytes of key id, then the signature.
    const signature = Buffer.from(base64, 'base64').subarray(4)
    return dash === '\u2014' && name === origin && isSignature(publicKey, Buffer.from(text), signature)
  })
  if (!signed) faults.push('the last checkpoint is not signed by the key of the log')
  if (!origin.endsWith(`/${boot}`) || size !== String(last.size))
    faults.push('the last checkpoint is of another log')
  if (root !== rootOf(entries).toString('base64'))
    faults.push('the entries do not give the root of the checkpoint')
  return {
    boot,
    publicKey,
    faults,
    entries: entries.map((bytes, index) => ({
      index,
      fields: parseObject(bytes.toString('utf8')) ?? {},
      durableAt: checkpoints.find((each) => each.size > index)?.object.createdAt ?? Number.NaN,
    })),
  }
}

async function readEntries(bucket: Bucket, boot: string, size: number): Promise<readonly Buffer[]> {
  const entries: Buffer[] = []
  for (let bundle = 0; bundle * BUNDLE < size; bundle += 1) {
    const name = `${boot}/tile/entries/${tileNumber(bundle)}`
    const wanted = Math.min(BUNDLE, size - bundle * BUNDLE)
    const object = bucket.get(wanted === BUNDLE ? name : `${name}.p/${wanted}`)
    if (object !== undefined) entries.push(...splitBundle(await object.bytes()).slice(0, wanted))
  }
  return entries
}

/** `x001/x234/567`: groups of three digits, all but the last marked with an x. */
function tileNumber(number: number): string {
  const digits = String(number)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? []
  return groups.map((group, index) => (index < groups.length - 1 ? `x${group}` : group)).join('/')
}

/** Each entry after its length as u16. */
function splitBundle(bytes: Buffer): readonly Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at + 2 <= bytes.byteLength; ) {
    const end = at + 2 + bytes.readUInt16BE(at)
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

/** `name+hex(key id)+base64(01 ‖ public key)`. */
function keyOf(vkey: string): Buffer {
  const base64 = vkey.trim().split('+').slice(2).join('+')
  return Buffer.from(base64, 'base64').subarray(1)
}

export function isSignature(publicKey: Buffer, message: Buffer, signature: Buffer): boolean {
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }
    return verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature)
  } catch {
    return false
  }
}

/** Lower-case base32 of RFC 4648 without padding. */
function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const groups = bits.match(/.{1,5}/g) ?? []
  return groups
    .map((group) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(group.padEnd(5, '0'), 2)])
    .join('')
}
