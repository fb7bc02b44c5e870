/** The balancer in front of several Verifiers: whom it chooses, and the disturbances that tests ask of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type Balancer, startBalancer } from '#lab/demo/balancer.ts'

let servers: readonly Server[]
let balancer: Balancer
before(async () => {
  servers = await Promise.all(['a', 'b'].map(startEcho))
  balancer = await startBalancer(servers.map(portOf))
})
after(async () => {
  await balancer?.close()
  for (const server of servers ?? []) server.close()
})

test('connections go to the servers in turn', async () => {
  const clients = await Promise.all([open(), open()])
  const answers = await Promise.all(clients.map((client) => ask(client, 'x')))
  assert.deepEqual(answers.sort(), ['a:x', 'b:x'])
  for (const client of clients) client.destroy()
})

test('a stall delays what is sent, and loses nothing', async () => {
  const client = await open()
  await ask(client, 'first')
  const stalled = balancer.stall(50)
  let over = false
  const answer = ask(client, 'second').then((text) => {
    assert.ok(over)
    return text
  })
  await stalled
  over = true
  assert.match(await answer, /:second$/)
  client.destroy()
})

test('a cut breaks every connection', async () => {
  const client = await open()
  await ask(client, 'x')
  balancer.cut()
  await once(client, 'close')
})

test('a half-open connection stays open and silent; a new one is served', async () => {
  const [silent, fresh] = [await open(), await open()]
  await ask(silent, 'x')
  balancer.halfOpen()
  let heard = false
  silent.on('data', () => {
    heard = true
  })
  silent.write('y')
  fresh.destroy()
  const next = await open()
  assert.match(await ask(next, 'z'), /:z$/)
  assert.equal(heard, false)
  assert.equal(silent.destroyed, false)
  for (const client of [silent, next]) client.destroy()
})

test('a server that does not listen is passed over; without any, the connection ends', async () => {
  const [dead, other] = servers
  dead?.close()
  for (let turn = 0; turn < 2; turn++) {
    const client = await open()
    assert.equal(await ask(client, 'x'), 'b:x')
    client.destroy()
  }
  other?.close()
  const client = connect({ host: '127.0.0.1', port: balancer.port })
  client.on('error', () => {})
  await once(client, 'close')
})

async function startEcho(name: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes) => socket.write(`${name}:${bytes}`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  // A TCP listener's address is never a string.
  return (server.address() as AddressInfo).port
}

async function open(): Promise<Socket> {
  const client = connect({ host: '127.0.0.1', port: balancer.port })
  await once(client, 'connect')
  return client
}

async function ask(client: Socket, text: string): Promise<string> {
  client.write(text)
  const [answer] = await once(client, 'data')
  return String(answer)
}
