/**
 * The connections of the Verifier's server. A stranger gets no further than the handshake, and there newcomers
 * displace the oldest: an honest handshake takes milliseconds, so only peers that idle are displaced. TLS
 * begins with the first byte, so a peer that says nothing costs a socket and no more. After the handshake a
 * connection counts for its client (frontDoor.ts).
 *
 * A connection beyond a client's limit is not served, and is closed a second later: closed at once, it would be
 * followed by another handshake at once.
 *
 * A TCP load balancer makes all clients one address. That is why the limit of an address is only about
 * handshakes, and drops the oldest instead of the newcomer.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Server } from 'node:https'
import { isIPv6, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { CodedError } from '#core/errors.ts'
import type { UnixSeconds } from '#core/time.ts'
import { createRates, type Rate } from './rates.ts'
import { refusalOfHello, type TlsRefusal, tlsRefusalOf } from './tlsRefusals.ts'

const SURPLUS_MILLISECONDS = 1000

export type ConnectionLimits = {
  readonly total: number
  readonly handshakesPerAddress: number
  readonly perClient: number
  /** An address that spends these is not given a handshake until they come back. */
  readonly failedHandshakes: Rate
  /** Until the first byte. */
  readonly silenceMilliseconds: number
}

/** Why a connection was closed that had done nothing wrong by itself: the label of a metric. */
export type Drop =
  /** The oldest unfinished handshake of an address that has too many. */
  | 'handshakes'
  /** One of an address whose handshakes fail too often. */
  | 'failures'
  /** One of a client's certificate that has too many; the oldest without a request first. */
  | 'certificate'
  /** One of too many in total: the oldest handshake, else the oldest without a request, else the newest. */
  | 'total'

/** Whom a connection counts for, and until when it may ask. */
export type Client = {
  readonly client: string
  /** Undefined if it shows no certificate. */
  readonly notAfter: UnixSeconds | undefined
}

/** A connection after its handshake. */
export type Connection = Client & {
  /** The peer's own, of its socket. No header says another. */
  readonly address: string
  /** True if other certificates or lists came into use after its handshake: it ends with its next answer. */
  isOutdated: boolean
  /** The request that is answered now. There is at most one: a client that pipelines is cut off. */
  request: { readonly stop: (error: CodedError) => void } | undefined
}

export type Connections = {
  /** Undefined before the handshake is over. */
  readonly of: (socket: Socket) => Connection | undefined
  readonly count: () => { readonly handshakes: number; readonly clients: number }
  /** Every connection that is open now ends with its next answer. */
  readonly outdate: () => void
  /** Ends every handshake now, and later ones as they come. */
  readonly endHandshakes: () => void
}

type Peer = {
  readonly raw: Socket
  readonly address: string
  readonly group: string
  /** Its end is told already. */
  isDropped: boolean
  connection: Connection | undefined
}

/** Takes over the server's listener for new sockets. Call it once, before the server listens. */
export function guardConnections(
  server: Server,
  monotonic: () => number,
  events: {
    readonly refused: (reason: TlsRefusal, address: string) => void
    readonly dropped: (reason: Drop) => void
  },
  door: {
    readonly connections: ConnectionLimits
    /** Undefined for a peer that is not let in. */
    readonly clientOf: (socket: TLSSocket) => Client | undefined
  },
): Connections {
  const { connections: limits, clientOf } = door
  const [shakeHands, ...others] = server.listeners('connection')
  if (shakeHands === undefined || others.length > 0)
    throw new CodedError('internal.fault', 'a TLS server has one listener for connections')
  const [serve, ...more] = server.listeners('secureConnection')
  if (serve === undefined || more.length > 0)
    throw new CodedError('internal.fault', 'an HTTPS server has one listener for TLS sockets')
  const handshakes = new Crowd()
  const clients = new Crowd()
  // Not served, and about to be closed. No client has more of them than it may have served.
  const surplus = new Crowd()
  const failures = createRates(limits.failedHandshakes, monotonic)
  const bySocket = new WeakMap<Socket, Connection>()
  // Node names the TLS socket of a handshake only when it is over, and then without an address. What happens
  // during a handshake runs in the asynchronous context that it began in.
  const current = new AsyncLocalStorage<Peer>()
  let isEnding = false

  const drop = (peer: Peer, reason: Drop, end: () => unknown = () => peer.raw.destroy()): void => {
    peer.isDropped = true
    forget(peer)
    end()
    events.dropped(reason)
  }
  const refuse = (peer: Peer, reason: TlsRefusal): void => {
    if (peer.isDropped || isEnding) return
    peer.isDropped = true
    if (reason !== 'abandoned') failures.take(peer.group)
    events.refused(reason, peer.address)
  }
  const forget = (peer: Peer): void => {
    handshakes.delete(peer.group, peer)
    if (peer.connection === undefined) return
    clients.delete(peer.connection.client, peer)
    surplus.delete(peer.connection.client, peer)
  }
  /** True if a place is free, or becomes free. */
  const makeRoom = (): boolean => {
    if (handshakes.size + clients.size + surplus.size < limits.total) return true
    const peer = surplus.oldest() ?? handshakes.oldest() ?? clients.oldest(isIdle)
    if (peer !== undefined) drop(peer, 'total')
    return peer !== undefined
  }

  server.removeAllListeners('connection')
  server.on('connection', (raw: Socket) => {
    const address = raw.remoteAddress ?? ''
    const peer: Peer = { raw, address, group: groupOf(address), isDropped: false, connection: undefined }
    if (isEnding) raw.destroy()
    else if (!failures.has(peer.group)) drop(peer, 'failures')
    else if (!makeRoom()) drop(peer, 'total')
    else {
      if (handshakes.sizeOf(peer.group) >= limits.handshakesPerAddress)
        dropIfAny(handshakes.oldestOf(peer.group), 'handshakes')
      handshakes.add(peer.group, peer)
      raw.once('close', () => {
        forget(peer)
        // The TLS socket closes in a listener after this one, and then says that the handshake failed.
        current.enterWith(peer)
      })
      awaitHello(peer)
    }
  })
  const awaitHello = (peer: Peer): void => {
    const { raw } = peer
    const end = (reason: TlsRefusal) => {
      refuse(peer, reason)
      raw.destroy()
    }
    const expire = () => end('timeout')
    const abandon = () => refuse(peer, 'abandoned')
    // What breaks before the handshake is followed by its close.
    raw.on('error', () => {})
    raw.once('close', abandon)
    raw.setTimeout(limits.silenceMilliseconds, expire)
    raw.once('readable', () => {
      raw.setTimeout(0, expire)
      const hello: Buffer | null = raw.read()
      if (hello === null) return end('abandoned')
      const reason = refusalOfHello(hello)
      if (reason !== undefined) return end(reason)
      raw.off('close', abandon)
      raw.unshift(hello)
      current.run(peer, () => shakeHands.call(server, raw))
    })
  }
  const dropIfAny = (peer: Peer | undefined, reason: Drop): void => {
    if (peer !== undefined) drop(peer, reason)
  }

  const putOff = (peer: Peer, client: string, socket: TLSSocket): void => {
    drop(peer, 'certificate', () => {
      const close = () => peer.raw.destroy()
      if (surplus.sizeOf(client) >= limits.perClient) return close()
      surplus.add(client, peer)
      socket.on('error', close)
      return peer.raw.setTimeout(SURPLUS_MILLISECONDS, close)
    })
  }

  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = current.getStore()
    const client = clientOf(socket)
    if (peer === undefined || client === undefined) {
      socket.destroy()
      return
    }
    handshakes.delete(peer.group, peer)
    const connection: Connection = {
      ...client,
      address: peer.address,
      isOutdated: false,
      request: undefined,
    }
    peer.connection = connection
    const { client: name } = connection
    if (clients.sizeOf(name) >= limits.perClient) {
      const idle = clients.oldestOf(name, isIdle)
      if (idle === undefined) return putOff(peer, name, socket)
      drop(idle, 'certificate')
    }
    clients.add(name, peer)
    bySocket.set(socket, connection)
    serve.call(server, socket)
  })

  server.on('tlsClientError', (error, socket) => {
    const peer = current.getStore()
    const reason = tlsRefusalOf(error, socket.authorizationError)
    if (peer === undefined) events.refused(reason, '')
    else refuse(peer, reason)
  })

  return {
    of: (socket) => bySocket.get(socket),
    count: () => ({ handshakes: handshakes.size, clients: clients.size }),
    outdate: () => {
      for (const { connection } of clients) if (connection !== undefined) connection.isOutdated = true
    },
    endHandshakes: () => {
      isEnding = true
      for (const peer of handshakes) peer.raw.destroy()
    },
  }
}

const isIdle = ({ connection }: Peer): boolean => connection?.request === undefined

/** Peers in the order in which they came, together and by name. */
class Crowd {
  readonly #all = new Set<Peer>()
  readonly #named = new Map<string, Set<Peer>>()

  get size(): number {
    return this.#all.size
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#all[Symbol.iterator]()
  }

  add(name: string, peer: Peer): void {
    this.#all.add(peer)
    const named = this.#named.get(name)
    if (named === undefined) this.#named.set(name, new Set([peer]))
    else named.add(peer)
  }

  delete(name: string, peer: Peer): void {
    this.#all.delete(peer)
    const named = this.#named.get(name)
    named?.delete(peer)
    if (named?.size === 0) this.#named.delete(name)
  }

  sizeOf(name: string): number {
    return this.#named.get(name)?.size ?? 0
  }

  oldest(fits: (peer: Peer) => boolean = () => true): Peer | undefined {
    return this.#all.values().find(fits)
  }

  oldestOf(name: string, fits: (peer: Peer) => boolean = () => true): Peer | undefined {
    return this.#named.get(name)?.values().find(fits)
  }
}

/** An IPv4 address, or the /64 of an IPv6 address, which is what one site has. */
export function groupOf(address: string): string {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0')
  return `${[...groups, ...zeros, ...rest].slice(0, 4).join(':')}::/64`
}
