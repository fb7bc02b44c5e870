/** Every vector of this folder has its stated outcome, and the generator still makes exactly these files. */

import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { RegistrationFormat } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { codeOf } from '#core/errors.ts'
import { P384Jwk } from '#core/jwk.ts'
import { type QuorumRoot, verifyCompact } from '#core/jws.ts'
import { type Consent, consentKeysOf, consentKind, consentRoot } from '#core/policy/consent.ts'
import { type GovernanceDocument, type Kind, readDocument } from '#core/policy/document.ts'
import { Floor } from '#core/policy/floor.ts'
import { type Candidates, governanceInForce } from '#core/policy/inForce.ts'
import { loadPolicy } from '#core/policy/loadedPolicy.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION } from '#core/policy/revocation.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { acceptAnswer } from '#core/release/accept.ts'
import { verifyAssertion } from '#core/release/assertion.ts'
import { expectBinding, jobsBytesOf, readJobs, readRequest } from '#core/release/binding.ts'
import { GrantFormat } from '#core/release/grant.ts'
import { checkNonce } from '#core/release/nonce.ts'
import { expectPossession } from '#core/release/possession.ts'
import { ReleaseResponse } from '#core/release/request.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { trustDigest } from '#core/release/trust.ts'
import { unwrapKeys, unwrapListKey } from '#core/release/wrap.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { toUnixSeconds } from '#core/time.ts'
import { fileOf, makeVectors } from './generate.ts'
import type { Document, Vector } from './vector.ts'

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
      const floor = new Floor()
      for (const statement of expected.seen) floor.raise(statement)
      const answers = acceptAnswer(ReleaseResponse.parse(response), {
        ...expected,
        nonce: bytes(expected.nonce),
        now: toUnixSeconds(expected.now),
        floor,
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
    case 'unwrap-list-key': {
      const { jwe, wrapKey, nonce, consentDigest, index, count } = vector.input
      const key = createPrivateKey({ key: wrapKey, format: 'jwk' })
      const context = { nonce: bytes(nonce), consentDigest: bytes(consentDigest) }
      return text(unwrapListKey(jwe, key, context, { index, count }, plainMemory))
    }
    case 'read-document': {
      const { root, ...stored } = vector.input
      const { folder } = KINDS[stored.name.split('/')[0] as keyof typeof KINDS]
      return documentsOf([stored], folder, root)[0]?.seq
    }
    case 'load-policy': {
      const { document, name, root, verifier } = vector.input
      return loadPolicy(readDocument(POLICY, name, utf8(JSON.stringify(document)), root), verifier).policy.seq
    }
    case 'in-force': {
      const { documents, root, deployment, now } = vector.input
      const candidates = {
        policies: documentsOf(documents, 'policy', root),
        verifierKeys: documentsOf(documents, 'verifier-keys', root),
        revocations: documentsOf(documents, 'revocation', root),
        consents: consentsOf(documents, root),
      }
      const governance = governanceInForce(candidates as Candidates, { root, deployment }, toUnixSeconds(now))
      const { policy, verifierKeys, revocation, consent, ignored } = governance
      const { seq, digest, referenceValues, objects, boots, permissions } = revocation
      const numberOf = (latest: typeof policy | typeof verifierKeys) =>
        latest === undefined ? null : { seq: latest.seq, digest: latest.document?.digest ?? null }
      return {
        policy: numberOf(policy),
        verifierKeys: numberOf(verifierKeys),
        revocation: { seq, digest, referenceValues, objects, boots, permissions },
        consent: Object.fromEntries(
          [...consent].map(([dataset, lists]) => [
            dataset,
            {
              seq: lists.seq,
              digest: lists.digest,
              inForce: lists.inForce.map(({ list }) => list.id),
              problem: lists.problem,
            },
          ]),
        ),
        ignored: ignored.map(({ name }) => name).sort(),
      }
    }
    case 'name-result': {
      const grant = GrantFormat.decode(canonicalBytes(vector.input.grant))
      return { resultId: resultIdOfGrant(grant), termsDigest: grantedTerms(grant).termsDigest }
    }
    case 'verify-registration': {
      verifyCompact(RegistrationFormat, vector.input.jws, vector.input.keys, 'boot.mismatch')
      return undefined
    }
  }
}

const KINDS = { policy: POLICY, 'verifier-keys': VERIFIER_KEYS, revocation: REVOCATION }

function documentsOf(
  stored: readonly Document[],
  folder: string,
  root: QuorumRoot,
): readonly GovernanceDocument<unknown>[] {
  return stored
    .filter(({ name }) => name.startsWith(`${folder}/`))
    .map(({ name, document }) => {
      // One of the three; each reads its own format.
      const kind = KINDS[folder as keyof typeof KINDS] as Kind<unknown>
      return readDocument(kind, name, utf8(JSON.stringify(document)), root)
    })
}

/** Of each dataset, under the keys that policies give it. What does not verify is junk. */
function consentsOf(stored: readonly Document[], root: QuorumRoot): readonly GovernanceDocument<Consent>[] {
  const policies = documentsOf(stored, 'policy', root) as readonly GovernanceDocument<Policy>[]
  return [...consentKeysOf(policies, root)].flatMap(([dataset, keys]) => {
    const kind = consentKind(dataset)
    return stored
      .filter(({ name }) => name.startsWith(`${kind.folder}/`))
      .flatMap(({ name, document }) => {
        try {
          return readDocument(kind, name, utf8(JSON.stringify(document)), consentRoot(root, keys))
        } catch (error) {
          assert.equal(codeOf(error), 'policy.invalid')
          return []
        }
      })
  })
}

function bytes(encoded: string): Buffer {
  return Buffer.from(encoded, 'base64url')
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString('base64url')
}
