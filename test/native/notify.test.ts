import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { createNotifier } from '#adapters/system/notify.ts'
import { compileProgram, lackOfAddon } from './fakeDevice.ts'

const skip = lackOfAddon() ?? false

describe('a notification to systemd', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const receiver = skip === false ? compileProgram('receive_datagrams', folder) : ''

  for (const [kind, socket] of [
    ['a path', join(folder, 'socket')],
    ['an abstract name', `@confidential-worker-test-${process.pid}`],
  ] as const)
    test(`arrives in order at ${kind}`, { timeout: 20_000 }, async (t) => {
      const child = spawn(receiver, [socket, '4'], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.after(() => child.kill())
      const exited = once(child, 'exit')
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      assert.equal((await lines.next()).value, 'bound')
      const notifier = createNotifier({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '20000' })
      notifier.ready()
      assert.equal((await lines.next()).value, 'READY=1')
      notifier.status('two lines\nare one')
      assert.equal((await lines.next()).value, 'STATUS=two lines are one')
      // The watchdog notifies only after `alive` returns true, here at the third call.
      let asked = 0
      const stop = notifier.watch(() => {
        asked += 1
        return asked === 3
      })
      assert.equal((await lines.next()).value, 'WATCHDOG=1')
      assert.ok(asked >= 3)
      stop()
      notifier.stopping()
      assert.equal((await lines.next()).value, 'STOPPING=1')
      assert.deepEqual(await exited, [0, null])
    })

  test('is dropped if no socket listens', () => {
    createNotifier({ NOTIFY_SOCKET: join(folder, 'absent') }).ready()
  })
})

describe('without systemd', () => {
  for (const environment of [{}, { NOTIFY_SOCKET: '' }, { WATCHDOG_USEC: '1000' }])
    test(`nothing is sent with ${JSON.stringify(environment)}`, () => {
      const notifier = createNotifier(environment)
      notifier.ready()
      notifier.status('x')
      notifier.watch(() => assert.fail('called without a watchdog'))()
      notifier.stopping()
    })
})
