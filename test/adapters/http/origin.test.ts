import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpOrigin, isLoopback } from '#adapters/http/origin.ts'

const HOST = 'a'.repeat(255)

for (const [origin, isOne] of [
  ['http://a', true],
  ['https://a', true],
  ['https://[::1]:8443', true],
  [`https://${HOST}`, true],
  [`https://${HOST}a`, false],
  ['https://', false],
  ['httpss://a', false],
  ['ftp://a', false],
  [' https://a', false],
  ['https://a/', false],
  ['https://a?b', false],
  ['https://b@a', false],
  ['https://a\n', false],
] as const)
  test(`${JSON.stringify(origin).slice(0, 40)} is ${isOne ? 'an origin' : 'none'}`, () => {
    assert.equal(HttpOrigin.safeParse(origin).success, isOne)
  })

for (const [url, isLocal] of [
  ['http://127.0.0.1', true],
  ['http://127.255.255.254:80/path', true],
  ['http://127.1', true],
  ['http://[::1]:80', true],
  ['http://localhost', true],
  ['http://LOCALHOST', true],
  ['http://126.0.0.1', false],
  ['http://127...', false],
  ['http://127.0.0.1.example', false],
  ['http://a.127.0.0.1.example', false],
  ['http://localhost.example', false],
  ['http://[::2]', false],
  ['http://127.0.0.1@host.example', false],
] as const)
  test(`${url} is ${isLocal ? 'this machine' : 'another'}`, () => assert.equal(isLoopback(url), isLocal))
