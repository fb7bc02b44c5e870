/**
 * AMD's key distribution service for simulated chips: the paths, parameters, media types and limits of
 * kdsintf.amd.com. As there, requests are anonymous and every answer is public.
 */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HARDWARE_ID_BYTES } from '#core/snp/extensions.ts'
import { SPL_PARAMETERS, splsOf } from '#core/snp/kds.ts'
import type { SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import type { Tcb, TcbComponent } from '#core/snp/tcb.ts'
import type { Fault, Faults } from '#lab/emulator/faults.ts'
import type { AmdAuthority } from './authority.ts'

type KdsResponse = {
  readonly status: number
  readonly type?: string
  readonly body?: Buffer
  readonly retryAfter?: number
}

export type KdsParts = {
  readonly authorities: readonly AmdAuthority[]
  /** The chips that get certificates, besides each authority's own: hardware ids in hex. */
  readonly chips: readonly string[]
  /** One VCEK per this many seconds, for all clients together. The real service allows about one in ten. */
  readonly vcekSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The armed faults; this service takes those of `kds`. */
  readonly faults: Pick<Faults, 'take'>
  /** Called with every request and the status of its answer. */
  readonly answered?: (url: string, status: number) => void
}

const NOT_FOUND: KdsResponse = { status: 404 }
const BAD_REQUEST: KdsResponse = { status: 400 }
const DER = 'application/pkix-cert'
/** The size of an `oversized` body: more than any client should accept. */
const OVERSIZED_BYTES = 8 * 1024 * 1024

export function createKds(parts: KdsParts): Server {
  const answer = createAnswers(parts)
  return createServer((request, response) => {
    const { method = '', url = '' } = request
    const fault = parts.faults.take({ service: 'kds', method, path: url, principal: undefined })
    const served = fault?.status === undefined ? answer(method, url) : { status: fault.status, retryAfter: 1 }
    parts.answered?.(url, served.status)
    void send(response, served, fault).catch(() => response.destroy())
  })
}

/** Its only state is the time from which it may give the next VCEK. */
function createAnswers({ authorities, chips, vcekSeconds, now }: KdsParts) {
  let freeAt = 0

  const vcekOf = (authority: AmdAuthority, hardwareId: string, query: URLSearchParams): KdsResponse => {
    const { product } = authority
    const tcb = tcbOf(query, product)
    if (tcb === undefined || !isHardwareId(hardwareId, product)) return BAD_REQUEST
    const known = hardwareId === authority.hardwareId || chips.includes(hardwareId)
    const wait = freeAt - now()
    if (wait > 0) return { status: 429, retryAfter: Math.ceil(wait / 1000) }
    freeAt = now() + vcekSeconds * 1000
    return known ? { status: 200, type: DER, body: authority.endorse(hardwareId, tcb).vcekDer } : NOT_FOUND
  }

  return (method: string, url: string): KdsResponse => {
    const [path = '', query = ''] = url.split('?', 2)
    const [, kind, version, name, what = '', ...more] = path.split('/')
    const authority = authorities.find(({ product }) => product === name)
    if ((kind !== 'vcek' && kind !== 'vlek') || version !== 'v1' || more.length > 0) return NOT_FOUND
    if (authority === undefined) return NOT_FOUND
    if (method !== 'GET') return { status: 405 }
    if (what === 'cert_chain')
      return { status: 200, type: 'application/x-pem-file', body: chainOf(authority, kind) }
    if (what === 'crl')
      return { status: 200, type: 'application/pkix-crl', body: authority.crl(Math.floor(now() / 1000)) }
    // AMD gives a VLEK to its provider by other means, never here.
    return kind === 'vcek' ? vcekOf(authority, what, new URLSearchParams(query)) : NOT_FOUND
  }
}

function chainOf({ askDer, asvkDer, arkDer }: AmdAuthority, kind: SigningKey): Buffer {
  return Buffer.from([kind === 'vcek' ? askDer : asvkDer, arkDer].map(pemOf).join(''))
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function isHardwareId(text: string, product: Product): boolean {
  return /^[0-9a-f]+$/.test(text) && text.length === 2 * HARDWARE_ID_BYTES[product]
}

/** Requires exactly the product's parameters, each from 0 to 255. */
function tcbOf(query: URLSearchParams, product: Product): Tcb | undefined {
  const wanted = splsOf(product).map((component) => SPL_PARAMETERS[component])
  const given = [...query.keys()]
  if (given.length !== wanted.length || !wanted.every((name) => given.includes(name))) return undefined
  const level = (component: TcbComponent) => Number(query.get(SPL_PARAMETERS[component]) ?? '0')
  const tcb = {
    fmc: level('fmc'),
    bootloader: level('bootloader'),
    tee: level('tee'),
    snp: level('snp'),
    microcode: level('microcode'),
  }
  const isByte = (value: number) => Number.isInteger(value) && value >= 0 && value <= 255
  return Object.values(tcb).every(isByte) ? tcb : undefined
}

async function send(response: ServerResponse, answer: KdsResponse, fault: Fault | undefined): Promise<void> {
  if (fault?.latencyMs !== undefined)
    await sleep(fault.latencyMs, undefined, { signal: goneSignal(response) })
  if (fault?.reset !== undefined) {
    response.destroy()
    return
  }
  const { status, type, body, retryAfter } = faulty(answer, fault)
  response.statusCode = status
  if (type !== undefined) response.setHeader('content-type', type)
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter))
  if (fault?.body === 'redirect') response.setHeader('location', '/vcek/v1/Genoa/cert_chain')
  if (fault?.body === 'stalled') {
    // The rest of the body never comes.
    response.setHeader('content-length', String(body?.byteLength ?? 1))
    response.write(body?.subarray(0, -1) ?? '')
    return
  }
  response.end(body)
}

/** Aborted when the client closes the connection, so that a delay does not outlast it. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return gone.signal
}

function faulty(answer: KdsResponse, fault: Fault | undefined): KdsResponse {
  switch (fault?.body) {
    case 'garbage':
      return { ...answer, body: Buffer.alloc(1200, 'garbage ') }
    case 'oversized':
      return { ...answer, body: Buffer.alloc(OVERSIZED_BYTES) }
    case 'redirect':
      return { status: 302 }
    default:
      return answer
  }
}
