/** A signer on a terminal: what is signed is shown, and nothing is signed without the word yes. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { cliTyping } from '../process.ts'
import { noTerminal, onTerminal } from '../pseudoTerminal.ts'
import { draft, setUp } from './govern.ts'

const skip = noTerminal
const SIGN = { prompt: 'Sign policy 1 as ada? Type yes to sign: ' }
const REVOKE = { prompt: 'Revoke this as ada? Type yes to sign: ' }

test('policy sign asks after it has shown the policy; only yes signs', { skip }, async (t) => {
  const { at, write, folder, withConfig } = await setUp(t)
  const file = await write('p1.json', draft())
  const sign = ['policy', 'sign', file, '--key', at('ada.pem'), ...withConfig]
  const before = await readdir(folder)
  for (const answer of ['no\n', '\n', 'y\n', 'YES\n', 'yes please\n', '\u0003', '\u0004']) {
    const { code, screen } = await onTerminal(sign, { ...SIGN, answer })
    assert.equal(code, 1, `${JSON.stringify(answer)}: ${screen}`)
    assert.match(screen, /\(signing\.declined\)/)
    assert.deepEqual(await readdir(folder), before)
  }
  const { code, screen } = await onTerminal(sign, { ...SIGN, answer: 'yes\n' })
  assert.equal(code, 0, screen)
  const [shown = '', after = ''] = screen.split(SIGN.prompt)
  assert.match(shown, /^Policy 1 of hospital/m)
  assert.match(after, /^signed {4}policy\/000000001-[0-9a-f]{32}\nby {8}ada$/m)
  const { signatures } = JSON.parse(await readFile(at('p1.signed.json'), 'utf8'))
  assert.equal(signatures.length, 1)
})

test('revoke asks, and does nothing after another answer', { skip }, async (t) => {
  const { at, write, publish, inForce, withConfig } = await setUp(t)
  await publish(await write('p1.json', draft()), at('ada.pem'), at('ben'))
  const revoke = ['revoke', '--permission', 'one', '--key', at('ada.pem'), ...withConfig]
  const declined = await onTerminal(revoke, { ...REVOKE, answer: 'no\n' })
  assert.equal(declined.code, 1, declined.screen)
  assert.deepEqual((await inForce()).revocation.lists, [])
  const agreed = await onTerminal(revoke, { ...REVOKE, answer: 'yes\n' })
  assert.equal(agreed.code, 0, agreed.screen)
  assert.deepEqual((await inForce()).revocation.permissions, ['one'])
})

test('no terminal, no question: a yes in a pipe is no agreement', async (t) => {
  const { at, write, publish, inForce, folder, withConfig } = await setUp(t)
  await publish(await write('p1.json', draft()), at('ada.pem'), at('ben'))
  const file = await write('p2.json', draft({ seq: 2 }))
  const before = await readdir(folder)
  for (const command of [
    ['policy', 'sign', file],
    ['revoke', '--permission', 'one'],
  ]) {
    const { code, stderr } = await cliTyping('yes\n', ...command, '--key', at('ada.pem'), ...withConfig)
    assert.equal(code, 2, stderr)
    assert.match(stderr, /^error: there is no terminal to ask on; .* \(usage\.invalid\)$/m)
  }
  assert.deepEqual(await readdir(folder), before)
  assert.deepEqual((await inForce()).revocation.lists, [])
})
