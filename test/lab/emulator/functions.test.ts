import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { callFunction } from '#lab/emulator/functions/call.ts'
import { httpClientOf, userProvider } from './clients.ts'
import { CONSUMER, emulatorFor, id, PROVIDER, temporaryFolder, testConfig } from './testEmulator.ts'

const options = () => ({ contentType: 'text/plain', now: 0, signal: new AbortController().signal })

test('a function gets the body, a call id and a deadline', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { 'fn-call-id': callId, 'fn-deadline': deadline, 'content-type': type } = request.headers
    response.end(JSON.stringify({ callId, deadline, type, body: Buffer.concat(chunks).toString() }))
  })
  await new Promise<void>((done) => server.listen(socket, done))
  t.after(() => server.close())
  const answer = await callFunction({ socket, timeoutSeconds: 30 }, Buffer.from('in'), options())
  assert.equal(answer.status, 200)
  assert.deepEqual(JSON.parse(answer.body.toString()), {
    callId: answer.callId,
    deadline: '1970-01-01T00:00:30.000Z',
    type: 'text/plain',
    body: 'in',
  })
})

test('a call fails as service.unavailable if no function listens or if it hangs up', async (t) => {
  const folder = await temporaryFolder(t)
  const socket = join(folder, 'lsnr.sock')
  const server = createServer((request) => request.socket.destroy())
  await new Promise<void>((done) => server.listen(socket, done))
  t.after(() => server.close())
  for (const path of [socket, join(folder, 'absent.sock')])
    await assert.rejects(callFunction({ socket: path, timeoutSeconds: 30 }, Buffer.from('in'), options()), {
      code: 'service.unavailable',
    })
})

test('an invocation needs its permission and returns the answer of the function', async (t) => {
  const socket = join(await temporaryFolder(t), 'lsnr.sock')
  const statuses = [200, 502]
  const server = createServer((request, response) => {
    response.writeHead(statuses.shift() ?? 500, { 'content-type': 'text/x' })
    request.pipe(response)
  })
  await new Promise<void>((done) => server.listen(socket, done))
  t.after(() => server.close())
  const config = testConfig({
    socket,
    change: ({ policies }) => {
      for (const policy of policies)
        if (policy.tenancyId === CONSUMER)
          policy.statements += '\nAllow group researchers to use fn-invocation in tenancy\n'
    },
  })
  const emulator = await emulatorFor(t, config)
  const invoke = async (
    name: string,
    tenancyId = CONSUMER,
    user = 'researcher',
  ): Promise<readonly [number, string]> => {
    const uri = `${emulator.endpoint}/20181201/functions/${id('fnfunc', name)}/actions/invoke`
    const request = {
      method: 'POST',
      uri,
      headers: new Headers({ 'content-type': 'text/plain' }),
      body: 'in',
    } as const
    const response = await httpClientOf(userProvider(tenancyId, user)).send(request, true)
    const text = await response.text()
    return [response.status, response.ok ? text : JSON.parse(text).code]
  }
  assert.deepEqual(await invoke('ingest'), [200, 'in'])
  assert.deepEqual(await invoke('ingest'), [502, 'FunctionInvokeExecutionFailed'])
  assert.deepEqual(await invoke('absent'), [404, 'NotAuthorizedOrNotFound'])
  assert.deepEqual(await invoke('ingest', PROVIDER, 'sealer'), [404, 'NotAuthorizedOrNotFound'])
  server.closeAllConnections()
  server.close()
  assert.deepEqual(await invoke('ingest'), [504, 'FunctionInvokeTimeout'])
})
