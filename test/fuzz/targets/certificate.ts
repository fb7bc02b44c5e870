/**
 * Certificates that go to the parser without a check of their signature, which would refuse every changed
 * byte. OpenSSL must read an accepted certificate in the same way.
 */
import { X509Certificate } from 'node:crypto'
import { sameBytes, toHex } from '#core/bytes.ts'
import {
  assertIntermediate,
  assertLeaf,
  assertRoot,
  type Certificate,
  parseCertificate,
} from '#core/snp/certificate.ts'
import { reading } from '#core/snp/der.ts'
import { HARDWARE_ID_BYTES, readEndorsedKey, SPL_OID } from '#core/snp/extensions.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import { importKey, p384Of, rsa4096Of } from '#core/snp/publicKey.ts'
import { TCB_COMPONENTS } from '#core/snp/tcb.ts'
import { mutate } from '../mutation.ts'
import { certificateSeeds, type Seed } from '../seeds.ts'
import { type Target, Violation } from '../target.ts'
import { mutateTree, type Tlv, treeOf } from '../tlv.ts'

export const certificate: Target = {
  name: 'certificate',
  what: 'certificates without the check of their signature, compared with OpenSSL',
  weight: 10,
  quick: 40_000,
  codes: ['chain.malformed', 'chain.product-mismatch'],
  open: async () => {
    const seeds = certificateSeeds().map(({ der, ...seed }) => ({ der, seed, tree: treeOf(der) }))
    const trees = seeds.map(({ tree }) => tree)
    return {
      generate: (random) => {
        const { der, seed, tree } = random.pick(seeds)
        const tags = random.oneIn(3) ? VALUE_TAGS : undefined
        const bytes = random.oneIn(8) ? mutate(der, random) : mutateTree(tree, random, trees, tags)
        const read = random.oneIn(16) ? { ...seed, product: random.pick(PRODUCTS) } : seed
        return [bytes, Buffer.from(JSON.stringify(read))]
      },
      check: ([bytes = Buffer.alloc(0), seed = Buffer.from('{}')]) =>
        checkCertificate(bytes, JSON.parse(seed.toString()) as Seed),
    }
  },
}

/** Numbers, names, texts and times: changes of these keep the structure. */
const VALUE_TAGS = [0x01, 0x02, 0x06, 0x0c, 0x16, 0x17, 0x18]

function checkCertificate(bytes: Buffer, seed: Seed): void {
  const parsed = reading('a certificate', 'chain.malformed', () => read(bytes, seed))
  const opened = openedByOpenssl(bytes)
  compare(parsed, opened, bytes)
  const spki = { format: 'der', type: 'spki' } as const
  if (!sameBytes(parsed.spki, opened.publicKey.export(spki)))
    throw new Violation('the public key is not the one that OpenSSL reads')
}

/** Applies every check for the role of the certificate. */
function read(bytes: Buffer, { kind, product }: Seed): Certificate {
  const parsed = parseCertificate(bytes)
  switch (kind) {
    case 'ark':
      assertRoot(parsed)
      importKey(rsa4096Of(parsed.spki))
      return parsed
    case 'ask':
    case 'asvk':
      assertIntermediate(parsed)
      importKey(rsa4096Of(parsed.spki))
      return parsed
    case 'vcek':
    case 'vlek':
      assertLeaf(parsed)
      checkEndorsedKey(parsed, product, kind)
      importKey(p384Of(parsed.spki))
      return parsed
  }
}

function openedByOpenssl(bytes: Buffer): X509Certificate {
  try {
    return new X509Certificate(bytes)
  } catch (error) {
    throw new Violation(`OpenSSL does not read it: ${error instanceof Error ? error.message : error}`)
  }
}

function compare(parsed: Certificate, opened: X509Certificate, bytes: Buffer): void {
  const name = (common: string) =>
    `OU=Engineering\nC=US\nL=Santa Clara\nST=CA\nO=Advanced Micro Devices\nCN=${common}`
  same('bytes', opened.raw.equals(bytes), true)
  same('serial number', BigInt(`0x${parsed.serial}`), BigInt(`0x${opened.serialNumber}`))
  same('issuer', name(parsed.issuer), opened.issuer)
  same('subject', name(parsed.subject), opened.subject)
  same('notBefore', parsed.notBefore * 1000, opened.validFromDate.getTime())
  same('notAfter', parsed.notAfter * 1000, opened.validToDate.getTime())
  const extensions = extensionsIn(bytes)
  same('number of extensions', parsed.extensions.size, extensions.length)
  ;[...parsed.extensions.values()].forEach(({ critical, value }, index) => {
    same('extension', toHex(value), toHex(extensions[index]?.at(-1)?.content ?? Buffer.alloc(0)))
    same('critical', critical, extensions[index]?.length === 3)
  })
}

/** The parts of each extension, in the order of the certificate. */
function extensionsIn(bytes: Buffer): readonly (readonly Tlv[])[] {
  const tagged = treeOf(bytes).root.children[0]?.children.find(({ tag }) => tag === 0xa3)
  return tagged?.children[0]?.children.map(({ children }) => children) ?? []
}

function checkEndorsedKey(parsed: Certificate, product: Seed['product'], kind: 'vcek' | 'vlek'): void {
  const { tcb, hardwareId, cspId } = readEndorsedKey(parsed.extensions, product, kind)
  for (const component of TCB_COMPONENTS) {
    const written = parsed.extensions.get(SPL_OID[component])?.value
    const level = tcb[component]
    const bytes = level >= 0x80 ? Buffer.of(2, 2, 0, level) : Buffer.of(2, 1, level)
    if (written === undefined ? level !== 0 : !sameBytes(written, bytes))
      throw new Violation(`${component} is not what its extension says`)
  }
  same('hardware id', hardwareId?.byteLength, kind === 'vcek' ? HARDWARE_ID_BYTES[product] : undefined)
  same('CSP_ID', cspId !== undefined, kind === 'vlek')
}

function same<T>(what: string, ours: T, theirs: T): void {
  if (!Object.is(ours, theirs)) throw new Violation(`the ${what} is ${ours} here and ${theirs} elsewhere`)
}
