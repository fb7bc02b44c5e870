import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiText } from '../../src/verifier/openapi.ts'
import { readDocument } from './document.ts'

test('docs/formats/verifier.openapi.json is what "npm run docs" writes', async () => {
  assert.equal(await readDocument('docs/formats/verifier.openapi.json'), openApiText())
})
