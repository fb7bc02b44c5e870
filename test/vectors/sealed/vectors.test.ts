/** Every vector of this folder has its stated outcome, and the generator still makes exactly these files. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { type SignedFormat, verifyCompact } from '#core/jws.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { openList, readList } from '#core/sealed/consentList.ts'
import { openFloe } from '#core/sealed/floeOpen.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { ResultManifestFormat } from '#core/sealed/manifest.ts'
import { openObject, readSealHeader } from '#core/sealed/object.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { openResult } from '#core/sealed/result.ts'
import { readSetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { fileOf, makeVectors } from './generate.ts'
import type { SignedInput, Vector } from './vector.ts'

const FOLDER = new URL('./', import.meta.url)
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))

test('the generator makes exactly the files of this folder', async () => {
  const made = (await makeVectors()).map(fileOf)
  assert.deepEqual(files.toSorted(), made.map(({ file }) => file).toSorted())
  for (const { file, content } of made) assert.equal(readFileSync(new URL(file, FOLDER), 'utf8'), content)
})

for (const file of files) {
  const vector = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Vector // held to its generator above
  test(`${file}: ${vector.note}`, async () => {
    if (vector.expect === 'accepted') assert.deepEqual(await run(vector), vector.output)
    else await assert.rejects(run(vector), { code: vector.expect.error })
  })
}

async function run(vector: Vector): Promise<unknown> {
  switch (vector.operation) {
    case 'read-seal-header':
      return readSealHeader(bytes(vector.input.prefix))
    case 'read-set-record':
      return readSetRecord(bytes(vector.input.object))
    case 'open-floe': {
      const { dek, aad, segmentBytes, rotationMask, ciphertext } = vector.input
      const parameters = { segmentBytes, rotationMask }
      const chunks = [bytes(ciphertext)]
      return collect(
        openFloe({
          dek: bytes(dek),
          aad: bytes(aad),
          chunks,
          cipher: nodeCipher,
          ownership: 'given',
          parameters,
        }),
      )
    }
    case 'open-object': {
      const { dek, size, object } = vector.input
      const { headerJws, offset } = readSealHeader(bytes(object))
      const chunks = [bytes(object).subarray(offset)]
      return collect(openObject({ headerJws, size, dek: bytes(dek), chunks, cipher: nodeCipher }))
    }
    case 'open-result': {
      const { resultId, dek, parts } = vector.input
      return collect(openResult({ resultId, dek: bytes(dek), parts: parts.map(bytes), cipher: nodeCipher }))
    }
    case 'open-list': {
      const { dek, tenant, dataset, list, object } = vector.input
      const identity = { tenant, dataset, id: list }
      return text(await openList(bytes(object), { identity, dek: bytes(dek), cipher: nodeCipher }))
    }
    case 'read-list': {
      const { beginning, size } = vector.input
      const content = Buffer.alloc(size)
      content.set(bytes(beginning))
      return text(readList(content))
    }
    case 'verify-seal-header':
      return verify(SealHeaderFormat, vector.input, 'object.unsigned')
    case 'verify-seal-record':
      return verify(SealRecordFormat, vector.input, 'record.malformed')
    case 'verify-set-record':
      return verify(SetRecordFormat, vector.input, 'object.unsigned')
    case 'verify-result-manifest':
      return verify(ResultManifestFormat, vector.input, 'record.malformed')
  }
}

function verify<T>(
  format: SignedFormat<T>,
  { jws, keys }: SignedInput,
  code: 'object.unsigned' | 'record.malformed',
): undefined {
  verifyCompact(format, jws, keys, code)
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString('base64url')
}

function bytes(encoded: string): Buffer {
  return Buffer.from(encoded, 'base64url')
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString('base64url')
}
