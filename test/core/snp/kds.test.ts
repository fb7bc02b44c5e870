import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chainPath, crlPath, vcekPath } from '#core/snp/kds.ts'

const tcb = { fmc: 1, bootloader: 10, tee: 2, snp: 27, microcode: 219 }

test('the path of a VCEK follows AMD publication 57230', () => {
  assert.equal(
    vcekPath('Genoa', Buffer.alloc(64, 0xab), tcb),
    `/vcek/v1/Genoa/${'ab'.repeat(64)}?blSPL=10&teeSPL=2&snpSPL=27&ucodeSPL=219`,
  )
  assert.equal(
    vcekPath('Turin', Buffer.alloc(8, 0xcd), tcb),
    `/vcek/v1/Turin/${'cd'.repeat(8)}?fmcSPL=1&blSPL=10&teeSPL=2&snpSPL=27&ucodeSPL=219`,
  )
})

test('chains have a path per kind of key, revocation lists one per product', () => {
  assert.equal(chainPath('vlek', 'Milan'), '/vlek/v1/Milan/cert_chain')
  assert.equal(chainPath('vcek', 'Milan'), '/vcek/v1/Milan/cert_chain')
  assert.equal(crlPath('Turin'), '/vcek/v1/Turin/crl')
})
