/**
 * Vectors of every product and version, with each kind of key, and with the chain in the evidence or at the
 * verifier.
 */
import { REPORT_VERSIONS, SIGNING_KEYS } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { authentic, usualLeaf, usualRoot } from './cases.ts'
import type { Case } from './vector.ts'
import { askOf } from './world.ts'

export function productVectors(product: Product): readonly Case[] {
  return SIGNING_KEYS.flatMap((kind) => [
    ...REPORT_VERSIONS.map((version) =>
      authentic(`${product}, version ${version}, ${kind.toUpperCase()}`, {
        product,
        kind,
        platform: { version },
      }),
    ),
    authentic(`${product}, ${kind.toUpperCase()}, whose authority comes with it`, {
      product,
      kind,
      roots: [usualRoot(product)],
      certs: [usualLeaf(product, kind), askOf(product, kind)],
    }),
  ])
}
