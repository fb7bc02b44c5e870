/**
 * node:crypto for the code under test, which remembers what it has verified: the same bytes under the same key give the same answer for
 * every mutant, and nearly all of a run's time would go into them.
 */
import { createPublicKey as create, hash, type KeyObject, verify as verifyAnew } from 'node:crypto'

// biome-ignore lint/performance/noBarrelFile: it stands for the module; what is exported below by name takes precedence
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
