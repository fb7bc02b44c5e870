/**
 * An imitation of AMD: a root key (ARK), an intermediate (ASK) and one chip's secret, made on first use and kept in a
 * folder. Keys of chips are derived from the secret, the hardware id and the TCB, as AMD derives them, so they need no
 * keeping.
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  hkdfSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fromHex, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { AMD_OID, HARDWARE_ID_BYTES, SPL_OID, SPL_ROWS } from '#core/snp/extensions.ts'
import { P384_ORDER, SCALAR_BYTES } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { encodeTcb, TCB_LAYOUTS, type Tcb } from '#core/snp/tcb.ts'
import { authorityExtensions, extension, issueCertificate } from './certificate.ts'
import { ia5, integer } from './der.ts'

export type AmdAuthority = {
  readonly product: Product
  readonly arkDer: Buffer
  readonly askDer: Buffer
  readonly askKey: KeyObject
  /** The chip that this host has, unless a guest is said to run on another one; hex. */
  readonly hardwareId: string
  /** The key of a chip at a TCB, and its VCEK certificate. */
  readonly endorse: (hardwareId: string, tcb: Tcb) => { readonly key: KeyObject; readonly vcekDer: Buffer }
  /** The life of the ARK; a VCEK's begins with it. Seconds since the epoch. */
  readonly notBefore: number
}

const YEAR = 31_557_600
const CA_YEARS = 25
const VCEK_YEARS = 7
const SECRET_BYTES = 48

/**
 * Opens the authority kept under `<stateDir>/<product>`, or makes it there: two RSA keys of 4096 bits, which takes seconds of
 * another thread. Of several processes that make it at once one wins, and all return that one.
 */
export async function openAuthority(stateDir: string, product: Product): Promise<AmdAuthority> {
  const folder = join(stateDir, product)
  const kept = await load(folder, product)
  if (kept !== undefined) return kept
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const draft = await mkdtemp(join(stateDir, `.${product}-`))
  try {
    await make(draft, product)
    // Renaming onto a folder that has files fails: then another process has made it meanwhile.
    await rename(draft, folder)
  } catch (error) {
    if (!isTaken(error)) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await load(folder, product)
  if (made === undefined) throw new Error(`the authority of ${product} vanished from its folder`)
  return made
}

const FILES = {
  arkKey: 'ark.key',
  arkDer: 'ark.der',
  askKey: 'ask.key',
  askDer: 'ask.der',
  secret: 'chip.secret',
}

async function make(folder: string, product: Product): Promise<void> {
  const generateRsa = () => promisify(generateKeyPair)('rsa', { modulusLength: 4096 })
  const [ark, ask] = await Promise.all([generateRsa(), generateRsa()])
  const notBefore = Math.floor(Date.now() / 1000) - 3600
  const life = { issuer: `ARK-${product}`, notBefore, notAfter: notBefore + CA_YEARS * YEAR }
  const arkRequest = { ...life, serial: 0x20000, subject: `ARK-${product}`, publicKey: ark.publicKey }
  const askRequest = { ...life, serial: 0x20001, subject: `SEV-${product}`, publicKey: ask.publicKey }
  const files = {
    [FILES.arkKey]: pemOf(ark.privateKey),
    [FILES.askKey]: pemOf(ask.privateKey),
    [FILES.arkDer]: issueCertificate({ ...arkRequest, extensions: authorityExtensions() }, ark.privateKey),
    [FILES.askDer]: issueCertificate({ ...askRequest, extensions: authorityExtensions(0) }, ark.privateKey),
    [FILES.secret]: randomBytes(SECRET_BYTES),
  }
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), content, { mode: 0o600, flag: 'wx' })
}

async function load(folder: string, product: Product): Promise<AmdAuthority | undefined> {
  const read = (name: string) => readFile(join(folder, name))
  let files: readonly [Buffer, Buffer, Buffer, Buffer]
  try {
    files = await Promise.all([
      read(FILES.arkDer),
      read(FILES.askDer),
      read(FILES.askKey),
      read(FILES.secret),
    ])
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const [arkDer, askDer, askPem, secret] = files
  const askKey = createPrivateKey(askPem)
  const notBefore = Date.parse(new X509Certificate(arkDer).validFrom) / 1000
  const endorse = (hardwareId: string, tcb: Tcb) => {
    const key = deriveKey(secret, `VCEK ${hardwareId} ${toHex(encodeTcb(tcb, product))}`)
    const request = {
      serial: 0,
      issuer: `SEV-${product}`,
      subject: 'SEV-VCEK',
      notBefore,
      notAfter: notBefore + VCEK_YEARS * YEAR,
      publicKey: createPublicKey(key),
      extensions: vcekExtensions(product, hardwareId, tcb),
    }
    return { key, vcekDer: issueCertificate(request, askKey) }
  }
  const hardwareId = expand(secret, 'hardware id', HARDWARE_ID_BYTES[product]).toString('hex')
  return { product, arkDer, askDer, askKey, hardwareId, endorse: remember(endorse), notBefore }
}

/** In AMD's order. */
export function vcekExtensions(product: Product, hardwareId: string, tcb: Tcb): readonly Buffer[] {
  const levels = SPL_ROWS[product].map((row) => {
    const levels: Partial<Record<typeof row, number>> = tcb
    return extension(SPL_OID[row], integer(levels[row] ?? 0))
  })
  return [
    extension(AMD_OID.structVersion, integer(TCB_LAYOUTS[product].structVersion)),
    extension(AMD_OID.productName, ia5(product === 'Milan' ? 'Milan-B0' : product)),
    ...levels,
    extension(AMD_OID.hardwareId, fromHex(hardwareId)),
  ]
}

function deriveKey(secret: Uint8Array, label: string): KeyObject {
  // 16 bytes more than the order has, so that the remainder is as good as uniform.
  const wide = BigInt(`0x${expand(secret, label, SCALAR_BYTES + 16).toString('hex')}`)
  const scalar = (wide % (P384_ORDER - 1n)) + 1n
  const d = fromHex(scalar.toString(16).padStart(2 * SCALAR_BYTES, '0'))
  const ecdh = createECDH('secp384r1')
  ecdh.setPrivateKey(d)
  const point = ecdh.getPublicKey()
  const jwk = {
    kty: 'EC',
    crv: 'P-384',
    x: toBase64url(point.subarray(1, 1 + SCALAR_BYTES)),
    y: toBase64url(point.subarray(1 + SCALAR_BYTES)),
    d: toBase64url(d),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

function expand(secret: Uint8Array, label: string, size: number): Buffer {
  return Buffer.from(hkdfSync('sha384', secret, Buffer.alloc(0), utf8(label), size))
}

/** PSS is randomised and slow: a chip's certificate is issued once a process. */
function remember(endorse: AmdAuthority['endorse']): AmdAuthority['endorse'] {
  const issued = new Map<string, ReturnType<AmdAuthority['endorse']>>()
  return (hardwareId, tcb) => {
    const key = `${hardwareId} ${Object.values(tcb).join('.')}`
    const endorsed = issued.get(key) ?? endorse(hardwareId, tcb)
    issued.set(key, endorsed)
    return endorsed
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST'].includes(String(error.code))
}
