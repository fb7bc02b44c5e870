import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { startModule } from './moduleProcess.ts'

/** Says `ready` when it listens, then what happens to it, and drains for as long as `drain` says. */
const listening = (drainMilliseconds: number, drain: string) => `
  import { listenForShutdown } from '#adapters/system/shutdown.ts'
  const keep = setInterval(() => {}, 1000)
  const shutdown = listenForShutdown(${drainMilliseconds}, (reason) => process.stdout.write('asked ' + reason + '\\n'))
  shutdown.signal.addEventListener('abort', () => {
    process.stdout.write('aborted ' + shutdown.signal.reason.message + '\\n')
    ${drain}
  })
  process.stdout.write('ready\\n')
`
const AT_ONCE = 'clearInterval(keep)'
const NEVER = ''

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`the first ${signal} aborts, and the program ends when it has drained`, async () => {
    const { child, ended } = startModule(listening(60_000, AT_ONCE))
    await once(child.stdout, 'data')
    child.kill(signal)
    const { code, stdout } = await ended
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `ready\nasked ${signal}\naborted ${signal}\n` })
  })

test('the second signal ends the process at once, with the code for a restart', {
  timeout: 20_000,
}, async () => {
  const { child, ended } = startModule(listening(3_600_000, NEVER))
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  assert.equal((await ended).code, 75)
})

test('a drain that exceeds its limit is cut off', async () => {
  const { child, ended } = startModule(listening(1, NEVER))
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  assert.equal((await ended).code, 75)
})

test('a program may request its own end, once', async () => {
  const { ended } = startModule(`
    import { listenForShutdown } from '#adapters/system/shutdown.ts'
    const shutdown = listenForShutdown(60_000, (reason) => process.stdout.write(reason + '\\n'))
    shutdown.request('first')
    shutdown.request('second')
    process.stdout.write(shutdown.signal.reason.message + '\\n')
  `)
  assert.deepEqual(await ended, { code: 0, signal: null, stdout: 'first\nfirst\n', stderr: '' })
})
