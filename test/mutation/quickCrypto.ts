/**
 * A node:crypto for the code under test that caches verifications. The same bytes under the same key have the
 * same answer for every mutant, and without the cache they would take nearly all of the time.
 */
import { createPublicKey as create, hash, type KeyObject, verify as verifyAnew } from 'node:crypto'

// biome-ignore lint/performance/noBarrelFile: it replaces the module; the named exports below take precedence
export * from 'node:crypto'

type Options = { readonly key: KeyObject } & Readonly<Record<string, unknown>>

const keys = new Map<string, KeyObject>()
const names = new WeakMap<KeyObject, string>()
const answers = new Map<string, boolean>()

export function createPublicKey(input: Parameters<typeof create>[0]): KeyObject {
  const der = typeof input === 'object' && 'key' in input ? input.key : undefined
  if (!Buffer.isBuffer(der)) return create(input)
  const name = hash('sha256', der)
  const key = keys.get(name) ?? create(input)
  keys.set(name, key)
  names.set(key, name)
  return key
}

export function verify(
  algorithm: string,
  data: Uint8Array,
  options: Options,
  signature: Uint8Array,
): boolean {
  const { key, ...rest } = options
  const name = names.get(key)
  if (name === undefined) return verifyAnew(algorithm, data, options, signature)
  const asked = [algorithm, hash('sha256', data), name, JSON.stringify(rest), hash('sha256', signature)].join(
    ' ',
  )
  const answer = answers.get(asked) ?? verifyAnew(algorithm, data, options, signature)
  answers.set(asked, answer)
  return answer
}
