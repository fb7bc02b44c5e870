import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorFields } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import { startModule } from './moduleProcess.ts'

test('writes one JSON line per call to stderr, before the process ends', async () => {
  const { stdout, stderr, code } = await startModule(`
    import { createLog } from '#adapters/system/log.ts'
    const log = createLog('worker', 'warn')
    log.info('not heard')
    log.child({ jobId: 'a1' }).warn('job returned', { code: 'service.unavailable', attempt: 2 })
    log.error('stopping')
    process.exit(3)
  `).ended
  assert.deepEqual({ stdout, code }, { stdout: '', code: 3 })
  const lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const line of lines) {
    assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    delete line.time
  }
  assert.deepEqual(lines, [
    {
      level: 40,
      program: 'worker',
      jobId: 'a1',
      code: 'service.unavailable',
      attempt: 2,
      msg: 'job returned',
    },
    { level: 50, program: 'worker', msg: 'stopping' },
  ])
})

for (const { name, error, fields } of [
  {
    name: 'a CodedError gives code and message',
    error: new CodedError('nonce.spent', 'the nonce was used before'),
    fields: { code: 'nonce.spent', error: 'the nonce was used before' },
  },
  {
    name: 'a cause is left out, because it may quote a service or a file',
    error: new CodedError('config.invalid', 'a.json is not JSON', { cause: new Error('near "Jane Doe"') }),
    fields: { code: 'config.invalid', error: 'a.json is not JSON' },
  },
  {
    name: 'a cause that is a CodedError is told too',
    error: new CodedError('evidence.unavailable', 'the log cannot be written', {
      cause: new CodedError('service.denied', 'putObject answered 401'),
    }),
    fields: {
      code: 'evidence.unavailable',
      error: 'the log cannot be written',
      cause: 'service.denied: putObject answered 401',
    },
  },
  {
    name: 'a cause that its error repeats is not told twice',
    error: new CodedError('config.invalid', 'a.json is short', {
      cause: new CodedError('input.changed', 'a.json is short'),
    }),
    fields: { code: 'config.invalid', error: 'a.json is short' },
  },
  {
    name: 'another error gives only its class',
    error: new SyntaxError('Unexpected token in "Jane Doe"'),
    fields: { code: 'internal.fault', error: 'SyntaxError' },
  },
  {
    name: 'a value that is not an error is unknown',
    error: 'Jane Doe',
    fields: { code: 'internal.fault', error: 'unknown' },
  },
])
  test(`errors in the log: ${name}`, () => assert.deepEqual(errorFields(error), fields))
