import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { loadAddon } from '#adapters/system/addon.ts'
import { openSecretMemory } from '#adapters/system/secretMemory.ts'

const HOLDER = fileURLToPath(new URL('../../native/holdSecrets.ts', import.meta.url))
const skip = loadAddon() instanceof Error ? 'the native addon is not built' : false

/** The KiB that this process has locked. */
function lockedKilobytes(): number {
  return Number(/^VmLck:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1])
}

/** The VmFlags (proc(5)) of mappings with locked pages. */
function flagsOfLocked(): readonly (readonly string[])[] {
  return readFileSync('/proc/self/smaps', 'latin1')
    .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    .filter((mapping) => /^Locked:\s+[1-9]/m.test(mapping))
    .map((mapping) => /^VmFlags: (.*)$/m.exec(mapping)?.[1]?.trim().split(' ') ?? [])
}

/** Sets a limit on locked memory that applies: with CAP_IPC_LOCK, as root, none does. */
function hold(secrets: number, limitKilobytes: number) {
  const plain =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock'] : []
  const limited = ['sh', '-c', 'ulimit -l "$0" && exec "$@"', String(limitKilobytes)]
  const [program = '', ...rest] = [...plain, ...limited, process.execPath, HOLDER, String(secrets)]
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' })
  return { status, stdout: stdout ?? '', stderr }
}

describe('locked memory', { skip }, () => {
  test('is zeros on pages that are locked, in no dump, and wiped in a child', async () => {
    const memory = openSecretMemory(4)
    await setImmediate()
    const before = lockedKilobytes()
    const secret = memory.allocate(32)
    assert.deepEqual(secret, Buffer.alloc(32))
    assert.equal(lockedKilobytes(), before + 4)
    secret.fill(0x5a)
    assert.deepEqual(secret, Buffer.alloc(32, 0x5a))
    const flags = flagsOfLocked()
    assert.ok(flags.length > 0)
    for (const flag of ['lo', 'dd', 'wf'])
      assert.ok(
        flags.every((mapping) => mapping.includes(flag)),
        flag,
      )
    memory.free(secret)
  })

  test('is gone at once when freed, for every view of it', () => {
    const memory = openSecretMemory(1)
    const before = lockedKilobytes()
    const secret = memory.allocate(64)
    secret.fill(0x5a)
    const view = secret.subarray(32)
    memory.free(secret)
    assert.deepEqual([secret.byteLength, view.byteLength], [0, 0])
    assert.equal(lockedKilobytes(), before)
    memory.free(secret)
  })

  test('frees only its own buffers', () => {
    const memory = openSecretMemory(1)
    const secret = memory.allocate(64)
    secret.fill(0x5a)
    for (const other of [Buffer.alloc(8), secret.subarray(0, 32)])
      assert.throws(() => memory.free(other), RangeError)
    assert.deepEqual(secret, Buffer.alloc(64, 0x5a))
    memory.free(secret)
  })

  test('takes 1 to 65,536 bytes', () => {
    const memory = openSecretMemory(1)
    for (const bytes of [1, 4096, 4097, 65_536]) {
      const secret = memory.allocate(bytes)
      assert.equal(secret.byteLength, bytes)
      memory.free(secret)
    }
    for (const bytes of [0, 65_537]) assert.throws(() => memory.allocate(bytes), RangeError)
  })

  const lacksLimit = hold(1, 1024).stdout === 'held\n' ? false : 'this user has no limit that can be set here'
  for (const [name, secrets, kilobytes, expect] of [
    [
      'no page may be locked',
      1,
      0,
      /^memory\.unlocked: .*\(mlock: .*\); raise RLIMIT_MEMLOCK, in a unit LimitMEMLOCK=$/,
    ],
    ['the limit has a page for each key', 16, 64, /^held$/],
    ['the limit has fewer pages than keys', 17, 64, /^memory\.unlocked: /],
  ] as const)
    test(`says at the start if ${name}`, { skip: lacksLimit }, () => {
      const { status, stdout, stderr } = hold(secrets, kilobytes)
      assert.equal(status, 0, stderr)
      assert.match(stdout.trimEnd(), expect)
    })
})
