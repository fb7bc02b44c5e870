/**
 * A simulated AMD: a root key (ARK), the intermediates below it (ASK for chips, ASVK for cloud providers) and
 * the secret of a host's chips, kept in a folder.
 */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { replaceFile } from '#adapters/system/files.ts'
import type { Product } from '#core/snp/product.ts'
import type { Tcb } from '#core/snp/tcb.ts'
import { readOrCreate } from '#lab/readOrCreate.ts'
import { newRsaKey, readOrCreateFolder } from './authorityFiles.ts'
import {
  amdScheme,
  authorityExtensions,
  authorityKeyIdentifier,
  crlDistributionPoint,
  issueCertificate,
  subjectKeyIdentifier,
} from './certificate.ts'
import { currentCrl } from './crl.ts'
import { deriveVcek, hardwareIdOf, vcekRequest } from './vcek.ts'
import { deriveVlek, vlekRequest } from './vlek.ts'

export type AmdAuthority = {
  readonly product: Product
  readonly arkKey: KeyObject
  readonly arkDer: Buffer
  readonly askKey: KeyObject
  readonly askDer: Buffer
  readonly asvkKey: KeyObject
  readonly asvkDer: Buffer
  /** The start of the validity of its certificates, in seconds since the epoch. */
  readonly notBefore: number
  /** The hardware id of this host's chip in hex. A guest's platform can name another chip. */
  readonly hardwareId: string
  /** The key of a chip at a TCB, and its VCEK certificate. */
  readonly endorse: (hardwareId: string, tcb: Tcb) => { readonly key: KeyObject; readonly vcekDer: Buffer }
  /** The key of a provider at a TCB, and its VLEK certificate, valid for a year from `notBefore`. */
  readonly endorseProvider: (cspId: string, tcb: Tcb) => { readonly key: KeyObject; readonly vlekDer: Buffer }
  /** The revocation list that is current at a time, in DER. Nothing is revoked. */
  readonly crl: (at: number) => Buffer
}

/** Serial numbers of the certificates below an ARK, the same as in AMD's current ones. */
export const SERIALS = { ark: 0x20000, ask: 0x20001, asvk: 0x20101 } as const

const FILES = ['ark.key', 'ark.der', 'ask.key', 'ask.der', 'chip.secret'] as const
type Files = Readonly<Record<(typeof FILES)[number], Buffer>>
type Asvk = { readonly key: KeyObject; readonly der: Buffer }

const SECRET_BYTES = 48
const LIFE_SECONDS = 25 * 31_557_600

/**
 * Opens the authority in `<stateDir>/<product>`, or creates it there. Its RSA keys of 4096 bits take seconds
 * to make, on other threads. A folder without an ASVK gets one.
 */
export async function openAuthority(stateDir: string, product: Product): Promise<AmdAuthority> {
  const folder = join(stateDir, product)
  const files = await readOrCreateFolder(folder, FILES, () => make(product))
  return load(files, await openAsvk(folder, files, product), product)
}

/** Writes the revocation list that is current at `at` beside the certificates, as `crl.der`. */
export async function publishCrl(
  stateDir: string,
  { product, crl }: AmdAuthority,
  at: number,
): Promise<void> {
  await replaceFile(join(stateDir, product, 'crl.der'), crl(at))
}

async function make(product: Product): Promise<Files> {
  const [arkKey, askKey] = await Promise.all([newRsaKey(), newRsaKey()])
  const notBefore = Math.floor(Date.now() / 1000) - 3600
  const arkPublic = createPublicKey(arkKey)
  const arkDer = issueCertificate(
    {
      serial: SERIALS.ark,
      issuer: `ARK-${product}`,
      subject: `ARK-${product}`,
      notBefore,
      notAfter: notBefore + LIFE_SECONDS,
      publicKey: arkPublic,
      extensions: [
        ...authorityExtensions(),
        subjectKeyIdentifier(arkPublic),
        crlDistributionPoint(crlUrl('vcek', product)),
      ],
    },
    amdScheme(arkKey),
  )
  return {
    'ark.key': pkcs8Of(arkKey),
    'ark.der': arkDer,
    'ask.key': pkcs8Of(askKey),
    'ask.der': certifyIntermediate('vcek', product, askKey, arkKey, notBefore),
    'chip.secret': randomBytes(SECRET_BYTES),
  }
}

/** Creates the key first, so that every process that issues the certificate issues it for the same key. */
async function openAsvk(folder: string, files: Files, product: Product): Promise<Asvk> {
  const key = privateKeyOf(
    await readOrCreate(join(folder, 'asvk.key'), async () => pkcs8Of(await newRsaKey())),
  )
  const arkKey = privateKeyOf(files['ark.key'])
  const der = await readOrCreate(join(folder, 'asvk.der'), async () =>
    certifyIntermediate('vlek', product, key, arkKey, notBeforeOf(files['ark.der'])),
  )
  return { key, der }
}

/** An ASK (for VCEKs) or ASVK (for VLEKs). */
function certifyIntermediate(
  kind: 'vcek' | 'vlek',
  product: Product,
  key: KeyObject,
  arkKey: KeyObject,
  notBefore: number,
): Buffer {
  const publicKey = createPublicKey(key)
  return issueCertificate(
    {
      serial: kind === 'vcek' ? SERIALS.ask : SERIALS.asvk,
      issuer: `ARK-${product}`,
      subject: kind === 'vcek' ? `SEV-${product}` : `SEV-VLEK-${product}`,
      notBefore,
      notAfter: notBefore + LIFE_SECONDS,
      publicKey,
      extensions: [
        subjectKeyIdentifier(publicKey),
        authorityKeyIdentifier(createPublicKey(arkKey)),
        ...authorityExtensions(0),
        crlDistributionPoint(crlUrl(kind, product)),
      ],
    },
    amdScheme(arkKey),
  )
}

function load(files: Files, asvk: Asvk, product: Product): AmdAuthority {
  const { 'ark.der': arkDer, 'ask.der': askDer, 'chip.secret': secret } = files
  const [arkKey, askKey] = [privateKeyOf(files['ark.key']), privateKeyOf(files['ask.key'])]
  const notBefore = notBeforeOf(arkDer)
  return {
    product,
    arkKey,
    arkDer,
    askKey,
    askDer,
    asvkKey: asvk.key,
    asvkDer: asvk.der,
    notBefore,
    hardwareId: hardwareIdOf(secret, product),
    endorse: onceEach((hardwareId, tcb) => {
      const key = deriveVcek(secret, product, hardwareId, tcb)
      const request = vcekRequest(key, { product, hardwareId, tcb, notBefore })
      return { key, vcekDer: issueCertificate(request, amdScheme(askKey)) }
    }),
    endorseProvider: onceEach((cspId, tcb) => {
      const key = deriveVlek(secret, product, cspId, tcb)
      const request = vlekRequest(key, { product, cspId, tcb, notBefore })
      return { key, vlekDer: issueCertificate(request, amdScheme(asvk.key)) }
    }),
    crl: (at) => currentCrl({ issuer: `ARK-${product}`, key: arkKey, notBefore }, at, []),
  }
}

/** PSS is randomised, and slow: a key's certificate is issued once a process. */
function onceEach<Endorsed>(
  endorse: (owner: string, tcb: Tcb) => Endorsed,
): (owner: string, tcb: Tcb) => Endorsed {
  const issued = new Map<string, Endorsed>()
  return (owner, tcb) => {
    const key = JSON.stringify([owner, tcb])
    const endorsed = issued.get(key) ?? endorse(owner, tcb)
    issued.set(key, endorsed)
    return endorsed
  }
}

function crlUrl(kind: 'vcek' | 'vlek', product: Product): string {
  return `https://kdsintf.amd.com/${kind}/v1/${product}/crl`
}

function notBeforeOf(arkDer: Buffer): number {
  return Date.parse(new X509Certificate(arkDer).validFrom) / 1000
}

function pkcs8Of(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' })
}

function privateKeyOf(pkcs8: Buffer): KeyObject {
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
}
