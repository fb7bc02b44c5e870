/** Objects that must not be opened or do not open, each with the code that its job must end with. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { toHex } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { keySigner } from '#core/jws.ts'
import type { SystemUnderTest } from './systemUnderTest.ts'

type BadObject = {
  readonly name: string
  readonly code: ErrorCode
  /** `failed` in the worker, or `refused` by the Verifier before it released a key. */
  readonly outcome: 'failed' | 'refused'
  readonly make: (system: SystemUnderTest) => Promise<{ readonly object: string; readonly bytes: Buffer }>
}

/** Objects that an attacker with the role of the sealing host can put into the outbox. */
export const BAD_OBJECTS: readonly BadObject[] = [
  {
    name: 'random bytes instead of a sealed object',
    code: 'object.malformed',
    outcome: 'failed',
    // Named as sealed objects are: the event rule passes over other names.
    make: async () => ({ object: toHex(randomBytes(16)), bytes: randomBytes(5000) }),
  },
  {
    name: 'a header longer than the object',
    code: 'object.malformed',
    outcome: 'failed',
    make: async (system) => {
      const { object, bytes } = await goodObject(system)
      bytes.writeUInt32BE(4096, 8)
      return { object, bytes: bytes.subarray(0, 2000) }
    },
  },
  {
    name: 'a header with one changed letter',
    code: 'object.unsigned',
    outcome: 'refused',
    make: (system) => changedAt(system, (headerEnd) => headerEnd - 5),
  },
  {
    name: 'a seal by an unknown key',
    code: 'object.unsigned',
    outcome: 'refused',
    make: (system) => goodObject(system, keySigner(generateKeyPairSync('ed25519').privateKey)),
  },
  {
    name: 'an object under another name',
    code: 'object.misplaced',
    outcome: 'refused',
    make: async (system) => ({ object: toHex(randomBytes(16)), bytes: (await goodObject(system)).bytes }),
  },
  {
    name: 'a truncated ciphertext',
    code: 'object.unopened',
    outcome: 'failed',
    make: async (system) => {
      const { object, bytes } = await goodObject(system)
      return { object, bytes: bytes.subarray(0, -1) }
    },
  },
  {
    name: 'a ciphertext with one changed byte',
    code: 'object.unopened',
    outcome: 'failed',
    make: (system) => changedAt(system, (headerEnd) => headerEnd + 1000),
  },
  {
    name: 'a ciphertext with a byte appended',
    code: 'object.unopened',
    outcome: 'failed',
    make: async (system) => {
      const { object, bytes } = await goodObject(system)
      return { object, bytes: Buffer.concat([bytes, Buffer.of(0)]) }
    },
  },
]

async function goodObject(system: SystemUnderTest, by = system.signer) {
  const sealed = await system.seal(toHex(randomBytes(8)), { by })
  return { object: sealed.object, bytes: await readFile(sealed.file) }
}

async function changedAt(system: SystemUnderTest, position: (headerEnd: number) => number) {
  const { object, bytes } = await goodObject(system)
  const at = position(12 + bytes.readUInt32BE(8))
  // Another letter of the same alphabet: a header stays a text, a ciphertext is any bytes.
  bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41
  return { object, bytes }
}
