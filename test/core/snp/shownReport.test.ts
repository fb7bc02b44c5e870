import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderShown } from '#cli/report/showText.ts'
import { FIELDS, REPORT_BYTES, RESERVED } from '#core/snp/layout.ts'
import { showReport } from '#core/snp/shownReport.ts'
import { MEASUREMENT, mint, testAuthority } from '../../amd.ts'

const genoa = await testAuthority()
const turin = await testAuthority('Turin')
const { bytes } = mint(turin, {
  guestSvn: 7,
  mitigations: { launch: '000000000000000b', current: '000000000000000f' },
})

function changed(change: (bytes: Buffer) => void, of = bytes): Buffer {
  const copy = Buffer.from(of)
  change(copy)
  return copy
}

function fieldOf(report: Buffer, name: string) {
  const field = showReport(report).fields.find((row) => row.name === name)
  assert.ok(field, name)
  return field
}

test('every byte is shown once, at its offset', () => {
  const { fields } = showReport(bytes)
  let end = 0
  for (const { offset, size, bytes: hex } of fields) {
    assert.equal(offset, end)
    assert.equal(hex, bytes.toString('hex', offset, offset + size))
    end = offset + size
  }
  assert.equal(end, REPORT_BYTES)
  assert.equal(fields.length, Object.keys(FIELDS).length + RESERVED.length)
})

test('a report that the ABI allows has no problem, and is not verified', () => {
  const { verified, problem, product, die, tcbLayout, tcb } = showReport(bytes)
  assert.deepEqual(
    { verified, problem, product, die, tcbLayout },
    {
      verified: false,
      problem: null,
      product: 'Turin',
      die: 'Turin',
      tcbLayout: 'Turin',
    },
  )
  assert.deepEqual(tcb?.current, { fmc: 1, bootloader: 3, tee: 2, snp: 5, microcode: 97 })
})

test('the certificate is named if the report identifies it', () => {
  const chip = turin.hardwareId
  assert.equal(
    showReport(bytes).certificate,
    `https://kdsintf.amd.com/vcek/v1/Turin/${chip}?fmcSPL=1&blSPL=3&teeSPL=2&snpSPL=5&ucodeSPL=97`,
  )
  assert.match(renderShown(showReport(bytes)), /\ncertificate +https:/)
  const vlek = showReport(mint(genoa, { signingKey: 'vlek' }).bytes)
  assert.equal(vlek.certificate, null)
  assert.doesNotMatch(renderShown(vlek), /certificate/)
  assert.equal(showReport(mint(genoa, { version: 2 }).bytes).certificate, null)
})

test('values are text: numbers, versions, bits, sets of bits', () => {
  assert.equal(fieldOf(bytes, 'GUEST_SVN').value, '7')
  assert.equal(fieldOf(bytes, 'MEASUREMENT').value, MEASUREMENT)
  assert.equal(fieldOf(bytes, 'CPUID').value, '1a/02/01')
  assert.match(fieldOf(bytes, 'CURRENT firmware').value, /^\d+\.\d+\.\d+$/)
  assert.deepEqual(fieldOf(bytes, 'LAUNCH_MIT_VECTOR').notes, ['bits that are set: 0, 1, 3'])
  assert.deepEqual(fieldOf(bytes, 'SIGNER_INFO').notes, ['bits 4:2: SIGNING_KEY 0: VCEK'])
  const policy = changed((b) => b.writeBigUInt64LE(0x8_0000n | 0x2_0000n | 0x0137n, FIELDS.policy.at))
  assert.deepEqual(
    fieldOf(policy, 'POLICY')
      .bits.filter(({ set }) => set)
      .map(({ bit, name }) => `${bit} ${name}`),
    ['17 reserved', '19 DEBUG'],
  )
  assert.deepEqual(fieldOf(policy, 'POLICY').notes, ['bits 15:0: firmware ABI 1.55 or later'])
})

test('the meaning of all zeros or all ones is noted', () => {
  assert.match(fieldOf(bytes, 'HOST_DATA').notes.join(), /nothing/)
  assert.match(fieldOf(bytes, 'REPORT_ID_MA').notes.join(), /no migration agent/)
  assert.match(
    fieldOf(
      changed((b) => b.fill(0, 0x1a0, 0x1e0)),
      'CHIP_ID',
    ).notes.join(),
    /masked/,
  )
  assert.match(
    fieldOf(
      changed((b) => b.fill(0xff, 0x30, 0x34)),
      'VMPL',
    ).notes.join(),
    /host/,
  )
})

const dies = [
  [[0x19, 0x01, 1], 'Milan', 'Milan'],
  [[0x19, 0x11, 1], 'Genoa', 'Genoa'],
  [[0x19, 0xa0, 2], 'Genoa', 'Bergamo or Siena'],
  [[0x1a, 0x02, 1], 'Turin', 'Turin'],
  [[0x1a, 0x11, 0], 'Turin', 'Turin'],
  [[0x1a, 0x50, 0], null, null],
] as const
for (const [cpuid, product, die] of dies)
  test(`CPUID ${cpuid.join('/')} is ${die}`, () => {
    const shown = showReport(changed((b) => Buffer.from(cpuid).copy(b, FIELDS.cpuid.at)))
    assert.deepEqual([shown.product, shown.die, shown.tcbLayout], [product, die, product])
  })

test('version 2 names no processor: the layout of Milan is assumed, and the text says so', () => {
  const shown = showReport(mint(genoa, { version: 2 }).bytes)
  assert.deepEqual([shown.product, shown.die, shown.tcbLayout], [null, null, 'Milan'])
  assert.equal(shown.tcb?.current.bootloader, 10)
  assert.equal(shown.fields.find(({ name }) => name === 'CPUID')?.notes[0], 'not used before version 3')
  assert.match(renderShown(shown), /version 2 names no processor/)
})

const problems = [
  ['a reserved byte', changed((b) => b.writeUInt8(1, 0x4c)), 'report.invalid'],
  ['a reserved bit of POLICY', changed((b) => b.writeUInt8(4, 0x0b)), 'report.invalid'],
  ['a VMPL that no guest has', changed((b) => b.fill(0xff, 0x30, 0x34)), 'report.invalid'],
  ['a TCB in another layout', changed((b) => b.writeUInt8(1, FIELDS.launchTcb.at + 4)), 'report.invalid'],
  ['no signature', changed((b) => b.fill(0, 0x2a0, 0x330)), 'report.signature'],
  ['a report that states that it is not signed', changed((b) => b.writeUInt8(28, 0x48)), 'report.signature'],
] as const
for (const [name, report, code] of problems)
  test(`${name} is shown as a problem`, () => {
    const shown = showReport(report)
    assert.equal(shown.problem?.code, code)
    assert.match(
      renderShown(shown),
      new RegExp(`^CLAIMED .*\\nNOT ALLOWED .*\\(${code.replace('.', '\\.')}\\)\\n`),
    )
  })

test('a reserved byte that is not zero is marked', () => {
  const shown = showReport(changed((b) => b.writeUInt8(1, 0x4c)))
  assert.match(renderShown(shown), /\n0x04C {2}reserved +NOT ZERO: 01000000\n/)
})

const behind = (report: Buffer) => Buffer.concat([Buffer.alloc(32), report])
for (const [name, report, message] of [
  ['a short report', bytes.subarray(1), /1183 bytes, expected 1184$/],
  ['no bytes', Buffer.alloc(0), /has 0 bytes, expected 1184$/],
  ['another version', changed((b) => b.writeUInt8(6, 0)), /VERSION is 6/],
  ['the answer of the kernel, with its header', behind(bytes), /tail -c \+33 FILE \| head -c 1184/],
  ['32 bytes before zeros', Buffer.alloc(1216), /1216 bytes, expected 1184$/],
  [
    '32 bytes before another version',
    behind(changed((b) => b.writeUInt8(6, 0))),
    /1216 bytes, expected 1184$/,
  ],
  [
    '32 bytes before another algorithm',
    behind(changed((b) => b.writeUInt8(2, 0x34))),
    /1216 bytes, expected 1184$/,
  ],
  ['32 bytes before a part of a report', behind(bytes.subarray(1)), /1215 bytes, expected 1184$/],
] as const)
  test(`refuses ${name}`, () => {
    assert.throws(() => showReport(report), { code: 'report.malformed', message })
  })

test('the text begins with the warning, then the TCB, then each field', () => {
  const text = renderShown(showReport(bytes))
  assert.match(
    text,
    /^CLAIMED +what the bytes say; nothing is verified.*\nprocessor +Turin\ncertificate .*\n\nTCB +fmc +bootloader/,
  )
  assert.match(text, /\ncurrent +1 +3 +2 +5 +97\n/)
  assert.match(text, /\n0x008 {2}POLICY +0x[0-9a-f]{16}\n/)
  assert.match(text, /\n +set +17 reserved +must be one\n +- +18 MIGRATE_MA /)
  for (const line of text.split('\n').filter((line) => !line.startsWith('certificate')))
    assert.ok(line.length <= 130, line)
})
