import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '#core/bytes.ts'
import { dieOfCpuid, productOfCpuid } from '#core/snp/product.ts'
import { below, encodeTcb, parseTcb, type Tcb } from '#core/snp/tcb.ts'

const bytes = (hex: string) => Buffer.from(hex, 'hex')

test('Milan and Genoa begin with the boot loader', () => {
  const tcb = { fmc: 0, bootloader: 10, tee: 1, snp: 23, microcode: 0xdb }
  for (const product of ['Milan', 'Genoa'] as const) {
    assert.deepEqual(parseTcb(bytes('0a010000000017db'), product), tcb)
    assert.equal(toHex(encodeTcb(tcb, product)), '0a010000000017db')
  }
})

test('Turin begins with the FMC', () => {
  const tcb = { fmc: 1, bootloader: 3, tee: 2, snp: 5, microcode: 97 }
  assert.deepEqual(parseTcb(bytes('0103020500000061'), 'Turin'), tcb)
  assert.equal(toHex(encodeTcb(tcb, 'Turin')), '0103020500000061')
})

for (const [product, reserved] of [
  ['Genoa', [2, 3, 4, 5]],
  ['Turin', [4, 5, 6]],
] as const)
  for (const index of reserved)
    test(`refuses reserved byte ${index} of ${product}`, () => {
      const tcb = Buffer.alloc(8)
      tcb[index] = 1
      assert.throws(() => parseTcb(tcb, product), { code: 'report.invalid' })
    })

test('components are compared individually', () => {
  const floor: Tcb = { fmc: 1, bootloader: 1, tee: 1, snp: 1, microcode: 1 }
  assert.deepEqual(below(floor, floor), [])
  assert.deepEqual(below({ ...floor, snp: 0, microcode: 255 }, floor), ['snp'])
  assert.deepEqual(below({ fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 }, floor), [
    'fmc',
    'bootloader',
    'tee',
    'snp',
    'microcode',
  ])
})

for (const [family, model, product] of [
  [0x19, 0x00, 'Milan'],
  [0x19, 0x0f, 'Milan'],
  [0x19, 0x10, 'Genoa'],
  [0x19, 0x1f, 'Genoa'],
  [0x19, 0x20, undefined],
  [0x19, 0x9f, undefined],
  [0x19, 0xa0, 'Genoa'],
  [0x19, 0xaf, 'Genoa'],
  [0x19, 0xb0, undefined],
  [0x1a, 0x00, 'Turin'],
  [0x1a, 0x11, 'Turin'],
  [0x1a, 0x12, undefined],
  [0x1a, 0x1f, undefined],
  [0x1a, 0x50, undefined],
  [0x17, 0x31, undefined],
] as const)
  test(`CPUID ${family.toString(16)}/${model.toString(16)} is ${product ?? 'unknown'}`, () => {
    assert.equal(productOfCpuid({ family, model, stepping: 1 }), product)
  })

for (const [family, model, die] of [
  [0x19, 0x01, 'Milan'],
  [0x19, 0x11, 'Genoa'],
  [0x19, 0xa0, 'Bergamo or Siena'],
  [0x1a, 0x02, 'Turin'],
  [0x1a, 0x50, undefined],
] as const)
  test(`CPUID ${family.toString(16)}/${model.toString(16)} is sold as ${die ?? 'an unknown processor'}`, () => {
    assert.equal(dieOfCpuid({ family, model, stepping: 1 }), die)
  })
