/**
 * Certificates and lists in valid form, the same bytes on every machine: AMD's own, and others with an
 * arbitrary signature.
 */
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { AMD_OID, HARDWARE_ID_BYTES } from '#core/snp/extensions.ts'
import type { SigningKey } from '#core/snp/layout.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { amdScheme, type CertificateRequest, extension, issueCertificate } from '#lab/amd/certificate.ts'
import { bits, ia5, integer, time } from '#lab/amd/der.ts'
import { deriveVcek, vcekRequest } from '#lab/amd/vcek.ts'
import { tlv, treeOf } from './tlv.ts'

const FROM = 1_750_000_000
const TCB = { fmc: 1, bootloader: 3, tee: 2, snp: 27, microcode: 222 }

export type Seed = { readonly product: Product; readonly kind: SigningKey | 'ark' | 'ask' | 'asvk' }

/** The certificates, each with its product and kind. */
export function certificateSeeds(): readonly (Seed & { readonly der: Buffer })[] {
  const authorities = AMD_ROOTS.flatMap(({ product, ark, ask = ark, asvk = ark }) =>
    Object.entries({ ark, ask, asvk }).map(([kind, der]) => ({
      product,
      kind: kind as 'ark' | 'ask' | 'asvk',
      der: Buffer.from(der),
    })),
  )
  return [
    ...authorities,
    ...PRODUCTS.map((product) => ({ product, kind: 'vcek' as const, der: unsigned(vcek(product)) })),
    ...PRODUCTS.map((product) => ({ product, kind: 'vlek' as const, der: unsigned(vlek(product)) })),
  ]
}

function vcek(product: Product): CertificateRequest {
  const hardwareId = '5c'.repeat(HARDWARE_ID_BYTES[product])
  const key = deriveVcek(Buffer.alloc(48, 1), product, hardwareId, TCB)
  return vcekRequest(key, { product, hardwareId, tcb: TCB, notBefore: FROM })
}

/** The certificate of a VLEK, with a cloud provider instead of a chip. */
function vlek(product: Product): CertificateRequest {
  const { extensions, ...rest } = vcek(product)
  return {
    ...rest,
    issuer: `SEV-VLEK-${product}`,
    subject: 'SEV-VLEK',
    extensions: [...extensions.slice(0, -1), extension(AMD_OID.cspId, ia5('CN=example.com'))],
  }
}

function unsigned(request: CertificateRequest): Buffer {
  const { algorithm } = amdScheme(request.publicKey)
  return issueCertificate(request, { algorithm, sign: () => Buffer.alloc(512, 7) })
}

/** The signed parts of revocation lists: without entries, with one, with many, and with reasons. */
export function crlBodies(): readonly { readonly product: Product; readonly tbs: Buffer }[] {
  return AMD_ROOTS.flatMap(({ product, ark }) => {
    const [version, , algorithm, , , subject] = treeOf(Buffer.from(ark)).root.children[0]?.children ?? []
    if (version === undefined || algorithm === undefined || subject === undefined) return []
    const reason = tlv(0x30, extension('2.5.29.21', tlv(0x0a, Buffer.of(4))))
    const entry = (serial: number, ...more: readonly Buffer[]) =>
      tlv(0x30, integer(serial), time(FROM), ...more)
    const lists = [
      [],
      [tlv(0x30, entry(0x20001))],
      [tlv(0x30, entry(0x20001, reason), entry(0xff, reason))],
      [tlv(0x30, ...Array.from({ length: 40 }, (_, index) => entry(index * 7919)))],
    ]
    const number = tlv(0xa0, tlv(0x30, extension('2.5.29.20', integer(0x1234))))
    return lists.map((list) => ({
      product,
      tbs: tlv(
        0x30,
        integer(1),
        algorithm.raw,
        subject.raw,
        time(FROM),
        time(FROM + 45 * 86_400),
        ...list,
        number,
      ),
    }))
  })
}

/** A signed structure with the algorithm of AMD's own certificates. */
export function signedBody(tbs: Buffer, signature: Buffer): Buffer {
  return tlv(0x30, tbs, ALGORITHM, bits(signature))
}

const ALGORITHM = algorithmOf(AMD_ROOTS)

function algorithmOf([root]: typeof AMD_ROOTS): Buffer {
  return treeOf(Buffer.from(root?.ark ?? [])).root.children[1]?.raw ?? Buffer.alloc(0)
}
