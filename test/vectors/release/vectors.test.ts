/** Every vector of this folder has its stated outcome, and the generator still makes exactly these files. */

import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { RegistrationFormat } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { P384Jwk } from '#core/jwk.ts'
import { verifyCompact } from '#core/jws.ts'
import { readPolicy } from '#core/policy/loadedPolicy.ts'
import { readRevocation } from '#core/policy/revocation.ts'
import { readVerifierKeys } from '#core/policy/verifierKeys.ts'
import { acceptAnswer } from '#core/release/accept.ts'
import { verifyAssertion } from '#core/release/assertion.ts'
import { expectBinding, jobsBytesOf, readJobs, readRequest } from '#core/release/binding.ts'
import { checkNonce } from '#core/release/nonce.ts'
import { expectPossession } from '#core/release/possession.ts'
import { ReleaseResponse } from '#core/release/request.ts'
import { trustDigest } from '#core/release/trust.ts'
import { unwrapKeys } from '#core/release/wrap.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { toUnixSeconds } from '#core/time.ts'
import { fileOf, makeVectors } from './generate.ts'
import type { Vector } from './vector.ts'

const FOLDER = new URL('./', import.meta.url)
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))

test('the generator makes exactly the files of this folder', async () => {
  const made = (await makeVectors()).map(fileOf)
  assert.deepEqual(files.toSorted(), made.map(({ file }) => file).toSorted())
  for (const { file, content } of made) assert.equal(readFileSync(new URL(file, FOLDER), 'utf8'), content)
})

for (const file of files) {
  const vector = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Vector // held to its generator above
  test(`${file}: ${vector.note}`, () => {
    if (vector.expect === 'accepted') assert.deepEqual(run(vector), vector.output)
    else assert.throws(() => run(vector), { code: vector.expect.error })
  })
}

function run(vector: Vector): unknown {
  switch (vector.operation) {
    case 'check-nonce': {
      const { nonce, keys, audience, now } = vector.input
      const known = keys.map(({ epoch, key }) => ({ epoch, key: bytes(key) }))
      return checkNonce(bytes(nonce), known, audience, toUnixSeconds(now))
    }
    case 'read-request': {
      const request = readRequest(utf8(vector.input.body))
      const { wrapKey, runtimeData } = request
      assert.ok(readJobs(jobsBytesOf(request)))
      return { wrapKey, boot: runtimeData.boot }
    }
    case 'bind-request': {
      const { body, reportData, audience } = vector.input
      const request = readRequest(utf8(body))
      expectBinding(request, jobsBytesOf(request), { reportData: bytes(reportData), audience })
      return undefined
    }
    case 'verify-assertion': {
      const { assertion, audience, nonce, wrapKey, now } = vector.input
      const clients = vector.input.clients.map(({ id, keys }) => ({
        id,
        keys: keys.map((key) => P384Jwk.parse(key)),
      }))
      const expected = { clients, audience, nonce: bytes(nonce), wrapKey }
      return verifyAssertion(assertion, expected, toUnixSeconds(now))
    }
    case 'verify-possession': {
      const { possession, reportData, evidenceKey } = vector.input
      expectPossession(possession, bytes(reportData), evidenceKey)
      return undefined
    }
    case 'trust-digest':
      return text(trustDigest(vector.input.anchors))
    case 'accept-answer': {
      const { response, expected } = vector.input
      const answers = acceptAnswer(ReleaseResponse.parse(response), {
        ...expected,
        nonce: bytes(expected.nonce),
        now: toUnixSeconds(expected.now),
      })
      return answers.map((answer) => (answer.kind === 'granted' ? answer.grantDigest : answer.denial.code))
    }
    case 'unwrap-key': {
      const { jwe, wrapKey, nonce, headerDigest } = vector.input
      const key = createPrivateKey({ key: wrapKey, format: 'jwk' })
      const context = { nonce: bytes(nonce), headerDigest: bytes(headerDigest) }
      const { dek, idKey } = unwrapKeys(jwe, key, context, plainMemory)
      return { dek: text(dek), idKey: text(idKey) }
    }
    case 'read-policy': {
      const { document, name, root, verifier } = vector.input
      return readPolicy(utf8(JSON.stringify(document)), name, root, verifier).policy.seq
    }
    case 'read-verifier-keys': {
      const { document, name, root, own } = vector.input
      return readVerifierKeys(utf8(JSON.stringify(document)), name, root, own).verifierKeys.seq
    }
    case 'read-revocation': {
      const { document, name, root, current } = vector.input
      return readRevocation(utf8(JSON.stringify(document)), name, root, current ?? undefined).seq
    }
    case 'verify-registration': {
      verifyCompact(RegistrationFormat, vector.input.jws, vector.input.keys, 'boot.mismatch')
      return undefined
    }
  }
}

function bytes(encoded: string): Buffer {
  return Buffer.from(encoded, 'base64url')
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString('base64url')
}
