/**
 * Locked memory for keys, from the native addon: on pages of its own, never in swap, in a dump or in a child.
 */
import { CodedError } from '#core/errors.ts'
import type { SecretMemory } from '#core/secretMemory.ts'
import { type Addon, loadAddon } from './addon.ts'

/**
 * First proves that the process can hold `secrets` pages at once, so that no key is refused in the middle of
 * a job. Throws `memory.unlocked` if there is no addon, or the system does not let this process lock that
 * much.
 */
export function openSecretMemory(secrets: number): SecretMemory {
  const addon = loadAddon()
  if (addon instanceof CodedError)
    throw new CodedError('memory.unlocked', `keys have no locked memory: ${addon.message}`, { cause: addon })
  const memory: SecretMemory = {
    allocate: (bytes) => allocate(addon, bytes),
    free: addon.freeSecret,
  }
  const held: Buffer[] = []
  try {
    while (held.length < secrets) held.push(memory.allocate(1))
  } finally {
    for (const secret of held) memory.free(secret)
  }
  return memory
}

function allocate(addon: Addon, bytes: number): Buffer {
  try {
    return addon.allocateSecret(bytes)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_SECRET_MEMORY')) throw cause
    throw new CodedError(
      'memory.unlocked',
      `keys have no locked memory (${cause.message}); raise RLIMIT_MEMLOCK, in a unit LimitMEMLOCK=`,
      { cause },
    )
  }
}
