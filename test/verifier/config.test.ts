import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { exportJwk } from '#core/jwk.ts'
import { VerifierConfig } from '../../src/verifier/config.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import { assertClosed, assertLimits, exampleOf } from '../configuration.ts'

const example = exampleOf(VerifierConfig)
const path = (length: number) => '/'.padEnd(length, 'a')
const signer = (person: string) => ({
  person,
  jwk: exportJwk(generateKeyPairSync('ed25519').publicKey),
})
const [ada, ben, again] = [signer('ada'), signer('ben'), signer('ada')]

test('the printed example of the Verifier loads only as a whole, and with nothing else', () => {
  assertClosed(VerifierConfig, example, ['endorsements.kds'])
})

test("each limit of the Verifier's configuration is exact", () => {
  assertLimits(VerifierConfig, example, [
    ...['listen', 'monitor'].flatMap((server) => [
      { field: `${server}.host`, good: ['a', 'a'.repeat(255)], bad: ['', 'a'.repeat(256)] },
      { field: `${server}.port`, good: [0, 65_535], bad: [-1, 65_536, 1.5] },
    ]),
    ...['tls.cert', 'tls.key', 'tls.clientCa', 'tls.clientCrl', 'endorsements.folder'].map((field) => ({
      field,
      good: ['/', path(4096)],
      bad: ['', 'a', 'a/b', '/a\0b', path(4097)],
    })),
    {
      field: 'tls',
      good: [
        { clientCertificates: 'required', cert: '/c', key: '/k', clientCa: '/a', clientCrl: '/l' },
        { clientCertificates: 'at-gateway', cert: '/c', key: '/k' },
      ],
      // Files of clients are there exactly if they are used.
      bad: [
        { cert: '/c', key: '/k', clientCa: '/a', clientCrl: '/l' },
        { cert: '/c', key: '/k' },
        { clientCertificates: 'none', cert: '/c', key: '/k' },
        { clientCertificates: 'required', cert: '/c', key: '/k', clientCrl: '/l' },
        { clientCertificates: 'required', cert: '/c', key: '/k', clientCa: '/a' },
        { clientCertificates: 'at-gateway', cert: '/c', key: '/k', clientCa: '/a' },
        { clientCertificates: 'at-gateway', cert: '/c', key: '/k', clientCrl: '/l' },
        { clientCertificates: 'at-gateway', cert: '/c' },
      ],
    },
    {
      field: 'providerRoot',
      good: [
        { keys: [ada, ben], threshold: 2 },
        { keys: [ada, again, ben], threshold: 2 },
      ],
      // A person with two keys is one person.
      bad: [
        { keys: [ada, again], threshold: 2 },
        { keys: [ada, ben], threshold: 3 },
      ],
    },
    { field: 'endorsements.kds.refreshHours', good: [1, 168], bad: [0, 169, 1.5] },
    { field: 'policyListingSeconds', good: [1, 15], bad: [0, 16, 1.5] },
    { field: 'requestSeconds', good: [2, 25], bad: [1, 26, 2.5] },
    { field: 'drainSeconds', good: [1, 300], bad: [0, 301, 1.5] },
  ])
})

test("the printed example listens where the worker's example asks, and is watched at the same port", () => {
  const { listen, monitor } = VerifierConfig.parse(example)
  const worker = WorkerConfig.parse(exampleOf(WorkerConfig))
  assert.equal(listen.port, Number(new URL(worker.verifier.urls[0] ?? '').port))
  assert.deepEqual(monitor, worker.monitor)
})
