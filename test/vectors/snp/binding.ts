/** Vectors of the binding of a certificate to the chip, the TCB and the product that the report names. */

import { AMD_OID } from '#core/snp/extensions.ts'
import { FIELDS } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { TCB_LAYOUTS } from '#core/snp/tcb.ts'
import { authentic, fill, put, refused } from './cases.ts'
import type { Case } from './vector.ts'
import { leafOf, leafRows, replaced, tcbOf } from './world.ts'

const cpuid = (family: number, model: number, stepping = 1) => fill('cpuid', family, model, stepping)
const hex = (value: number): string => value.toString(16).padStart(2, '0')
const TCBS = ['reportedTcb', 'committedTcb', 'currentTcb', 'launchTcb'] as const

export function bindingVectors(product: Product): readonly Case[] {
  // Milan differs from Genoa only in its models.
  if (product === 'Milan') return cpuidVectors(product)
  return [...cpuidVectors(product), ...tcbVectors(product), ...chipVectors(product)]
}

/** Models at both ends of each range, and directly outside. */
const MODELS: Readonly<
  Record<
    Product,
    { readonly family: number; readonly own: readonly number[]; readonly not: readonly number[] }
  >
> = {
  Milan: { family: 0x19, own: [0x00, 0x0f], not: [0x10] },
  Genoa: { family: 0x19, own: [0x10, 0x1f, 0xa0, 0xaf], not: [0x0f, 0x20, 0x9f, 0xb0] },
  Turin: { family: 0x1a, own: [0x00, 0x11], not: [0x12, 0x50, 0x90, 0xff] },
}

function cpuidVectors(product: Product): readonly Case[] {
  const { family, own, not } = MODELS[product]
  return [
    ...own.map((model) =>
      authentic(`CPUID ${hex(family)}/${hex(model)}`, { product, change: cpuid(family, model) }),
    ),
    ...not.map((model) =>
      refused(`CPUID ${hex(family)}/${hex(model)}`, 'chain.product-mismatch', {
        product,
        change: cpuid(family, model),
      }),
    ),
    ...[0x17, 0x18, 0x19, 0x1a, 0x1b]
      .filter((other) => other !== family)
      .map((other) =>
        refused(`CPUID ${hex(other)}/${hex(own[0] ?? 0)}`, 'chain.product-mismatch', {
          product,
          change: cpuid(other, own[0] ?? 0),
        }),
      ),
    authentic(`CPUID ${hex(family)}/${hex(own[0] ?? 0)} of stepping f`, {
      product,
      change: cpuid(family, own[0] ?? 0, 0xf),
    }),
  ]
}

function tcbVectors(product: Product): readonly Case[] {
  const { bytes } = TCB_LAYOUTS[product]
  const tcb = tcbOf(product)
  const used = bytes.flatMap((component, byte) => (component === undefined ? [] : [{ component, byte }]))
  const spare = bytes.flatMap((component, byte) => (component === undefined ? [byte] : []))
  const high = { ...tcb, snp: 0x80, microcode: 0xff }
  const zero = { fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 }
  return [
    ...used.map(({ component, byte }) =>
      refused(`${component} higher in the report than in the certificate`, 'chain.tcb-mismatch', {
        product,
        change: put('reportedTcb', byte, tcb[component] + 1),
      }),
    ),
    ...used
      .filter(({ component }) => tcb[component] > 0)
      .map(({ component, byte }) =>
        refused(`${component} lower in the report than in the certificate`, 'chain.tcb-mismatch', {
          product,
          change: put('reportedTcb', byte, tcb[component] - 1),
        }),
      ),
    ...TCBS.flatMap((name) =>
      spare.map((byte) =>
        refused(`reserved byte ${byte} of ${name}`, 'report.invalid', {
          product,
          change: put(name, byte, 1),
        }),
      ),
    ),
    ...(['committedTcb', 'currentTcb', 'launchTcb'] as const).map((name) =>
      authentic(`any ${name}`, {
        product,
        change: (report) => {
          for (const { byte } of used) put(name, byte, 9)(report)
        },
      }),
    ),
    ...[['patch levels of 128 and 255', high] as const, ['patch levels of zero', zero] as const].map(
      ([name, levels]) =>
        authentic(name, {
          product,
          platform: { tcb: levels },
          certs: [leafOf(product, 'vcek', { tcb: levels })],
        }),
    ),
  ]
}

function chipVectors(product: Product): readonly Case[] {
  const { at, size } = FIELDS.chipId
  const flip = (byte: number) => (bytes: Buffer) =>
    void bytes.writeUInt8(bytes.readUInt8(at + byte) ^ 1, at + byte)
  const last = product === 'Turin' ? 7 : 63
  const rows = leafRows(product)
  const masked = leafOf(product, 'vcek', { rows: replaced(rows, AMD_OID.hardwareId, Buffer.alloc(last + 1)) })
  return [
    ...[0, last].map((byte) =>
      refused(`another chip in byte ${byte}`, 'chain.chip-mismatch', { product, change: flip(byte) }),
    ),
    ...(product === 'Turin' ? [8, size - 1] : []).map((byte) =>
      refused(`more chip id than there is, in byte ${byte}`, 'chain.chip-mismatch', {
        product,
        change: flip(byte),
      }),
    ),
    refused('a masked chip id', 'chain.chip-mismatch', { product, change: fill('chipId', 0) }),
    refused('a masked chip id, and a certificate of all zeros', 'chain.chip-mismatch', {
      product,
      change: fill('chipId', 0),
      certs: [masked],
    }),
  ]
}
