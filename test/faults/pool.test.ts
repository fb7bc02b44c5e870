/** Which ends of a program its unit mends, and which violate an invariant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeEnd } from './pool.ts'

for (const { name, exit, signals = [], serves = true, tail = '', verdict } of [
  { name: 'our SIGKILL', exit: { code: null, signal: 'SIGKILL' }, signals: ['SIGKILL'] },
  { name: 'SIGKILL by another', exit: { code: null, signal: 'SIGKILL' }, verdict: 'program.killed' },
  { name: 'a crash of Node', exit: { code: null, signal: 'SIGABRT' }, verdict: 'program.killed' },
  { name: 'a drain', exit: { code: 0, signal: null }, signals: ['SIGTERM'] },
  { name: 'a drain that was cut', exit: { code: 75, signal: null }, signals: ['SIGTERM'] },
  { name: 'a failed drain', exit: { code: 70, signal: null }, signals: ['SIGTERM'], verdict: 'program.stop' },
  {
    name: 'SIGTERM before the first module',
    exit: { code: null, signal: 'SIGTERM' },
    signals: ['SIGTERM'],
    serves: false,
  },
  {
    name: 'SIGTERM without a drain',
    exit: { code: null, signal: 'SIGTERM' },
    signals: ['SIGTERM'],
    verdict: 'program.killed',
  },
  { name: 'try again', exit: { code: 75, signal: null } },
  { name: 'a clean end of its own', exit: { code: 0, signal: null }, verdict: 'program.ended' },
  { name: 'a configuration that is refused', exit: { code: 78, signal: null }, verdict: 'program.given-up' },
  {
    name: 'a simulated processor that is away',
    exit: { code: 78, signal: null },
    tail: '{"code":"sev.unavailable"}',
  },
] as const)
  test(`${name}: ${verdict ?? 'no violation'}`, () => {
    assert.equal(judgeEnd(exit, { signals: [...signals], serves }, tail), verdict)
  })
