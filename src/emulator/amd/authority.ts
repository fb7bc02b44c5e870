/** An imitation of AMD: a root key (ARK), an intermediate (ASK) and the secret of a host's chip, kept in a folder. */
import { createPrivateKey, generateKeyPair, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Product } from '#core/snp/product.ts'
import type { Tcb } from '#core/snp/tcb.ts'
import { amdScheme, authorityExtensions, issueCertificate } from './certificate.ts'
import { deriveVcek, hardwareIdOf, vcekRequest } from './chip.ts'

export type AmdAuthority = {
  readonly product: Product
  readonly arkKey: KeyObject
  readonly arkDer: Buffer
  readonly askKey: KeyObject
  readonly askDer: Buffer
  /** When the life of its certificates begins, in seconds since the epoch. */
  readonly notBefore: number
  /** The chip that this host has, unless a guest is said to run on another one; hex. */
  readonly hardwareId: string
  /** The key of a chip at a TCB, and its VCEK certificate. */
  readonly endorse: (hardwareId: string, tcb: Tcb) => Endorsed
}
type Endorsed = { readonly key: KeyObject; readonly vcekDer: Buffer }

type FileName = 'ark.key' | 'ark.der' | 'ask.key' | 'ask.der' | 'chip.secret'
type Files = Readonly<Record<FileName, Buffer>>

const SECRET_BYTES = 48
const LIFE_SECONDS = 25 * 31_557_600

/**
 * Opens the authority kept under `<stateDir>/<product>`, or makes it there: two RSA keys of 4096 bits, which takes
 * seconds of other threads. Of several processes that make it at once one wins, and all return that one.
 */
export async function openAuthority(stateDir: string, product: Product): Promise<AmdAuthority> {
  const folder = join(stateDir, product)
  const kept = await readFiles(folder)
  if (kept !== undefined) return load(kept, product)
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const draft = await mkdtemp(join(stateDir, `.${product}-`))
  try {
    for (const [name, content] of Object.entries(await make(product)))
      await writeFile(join(draft, name), content, { mode: 0o600 })
    // Renaming onto a folder that has files fails: then another process has made it meanwhile.
    await rename(draft, folder)
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  const made = await readFiles(folder)
  if (made === undefined) throw new Error(`the authority of ${product} vanished from ${folder}`)
  return load(made, product)
}

async function make(product: Product): Promise<Files> {
  const generateRsa = () => promisify(generateKeyPair)('rsa', { modulusLength: 4096 })
  const [ark, ask] = await Promise.all([generateRsa(), generateRsa()])
  const notBefore = Math.floor(Date.now() / 1000) - 3600
  const life = { issuer: `ARK-${product}`, notBefore, notAfter: notBefore + LIFE_SECONDS }
  const arkDer = issueCertificate(
    {
      ...life,
      serial: 0x20000,
      subject: `ARK-${product}`,
      publicKey: ark.publicKey,
      extensions: authorityExtensions(),
    },
    amdScheme(ark.privateKey),
  )
  const askDer = issueCertificate(
    {
      ...life,
      serial: 0x20001,
      subject: `SEV-${product}`,
      publicKey: ask.publicKey,
      extensions: authorityExtensions(0),
    },
    amdScheme(ark.privateKey),
  )
  return {
    'ark.key': ark.privateKey.export({ format: 'der', type: 'pkcs8' }),
    'ark.der': arkDer,
    'ask.key': ask.privateKey.export({ format: 'der', type: 'pkcs8' }),
    'ask.der': askDer,
    'chip.secret': randomBytes(SECRET_BYTES),
  }
}

async function readFiles(folder: string): Promise<Files | undefined> {
  const read = (name: FileName) => readFile(join(folder, name))
  try {
    return {
      'ark.key': await read('ark.key'),
      'ark.der': await read('ark.der'),
      'ask.key': await read('ask.key'),
      'ask.der': await read('ask.der'),
      'chip.secret': await read('chip.secret'),
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function load(files: Files, product: Product): AmdAuthority {
  const { 'ark.der': arkDer, 'ask.der': askDer, 'chip.secret': secret } = files
  const askKey = privateKeyOf(files['ask.key'])
  const notBefore = Date.parse(new X509Certificate(arkDer).validFrom) / 1000
  const endorse = (hardwareId: string, tcb: Tcb): Endorsed => {
    const key = deriveVcek(secret, product, hardwareId, tcb)
    const request = vcekRequest(key, { product, hardwareId, tcb, notBefore })
    return { key, vcekDer: issueCertificate(request, amdScheme(askKey)) }
  }
  return {
    product,
    arkKey: privateKeyOf(files['ark.key']),
    arkDer,
    askKey,
    askDer,
    notBefore,
    hardwareId: hardwareIdOf(secret, product),
    endorse: onceEach(endorse),
  }
}

/** PSS is randomised, and slow: a chip's certificate is issued once a process. */
function onceEach(endorse: AmdAuthority['endorse']): AmdAuthority['endorse'] {
  const issued = new Map<string, Endorsed>()
  return (hardwareId, tcb) => {
    const key = JSON.stringify([hardwareId, tcb])
    const endorsed = issued.get(key) ?? endorse(hardwareId, tcb)
    issued.set(key, endorsed)
    return endorsed
  }
}

function privateKeyOf(pkcs8: Buffer): KeyObject {
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
