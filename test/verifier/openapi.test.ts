/** The OpenAPI document: it is what the server does, no more and no less, and it is valid by itself. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { CodedError, ERRORS, type ErrorCode, errorRow } from '#core/errors.ts'
import { SUBJECTS } from '#core/release/about.ts'
import { Shed } from '../../src/verifier/admission.ts'
import { openApiText } from '../../src/verifier/openapi.ts'
import { ROUTE_LIST, ROUTES } from '../../src/verifier/routes.ts'
import { importsBelow } from '../house/imports.ts'
import { document, expectDescribed, operations } from './described.ts'
import { clientOf, send, serve } from './testServer.ts'

const client = clientOf('worker')
// The keys of ERRORS are the codes.
const CODES = Object.keys(ERRORS) as ErrorCode[]
/** The codes that the document says of one operation, by status. */
const codesOf = (path: string): ReadonlyMap<string, readonly string[]> => {
  const [{ operation } = assert.fail(path)] = operations.filter((each) => each.path === path)
  const refusals = Object.entries(operation.responses).filter(([status]) => status !== '200')
  return new Map(
    refusals.map(([status, { description }]) => [
      status,
      [...description.matchAll(/^- `([^`]+)`/gm)].map(([, code = '']) => code),
    ]),
  )
}

const ofBoot = (path: string) => path.replace('{boot}', 'a'.repeat(26))

test('it has what OpenAPI 3.1 requires', () => {
  assert.match(document.openapi, /^3\.1\.\d+$/)
  assert.ok(document.info.title.length > 0 && document.info.version.length > 0)
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.equal(new Set(ids).size, ids.length)
  for (const { path, operation } of operations) {
    assert.match(path, /^\//)
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      assert.match(status, /^[1-5]\d\d$/)
      assert.ok(description.length > 0)
      assert.ok(Object.values(content).every(({ schema }) => typeof schema === 'object'))
    }
  }
  for (const name of Object.keys(document.components.schemas)) assert.match(name, /^[a-zA-Z0-9._-]+$/)
  for (const scheme of document.security.flatMap((each) => Object.keys(each)))
    assert.ok(document.components.securitySchemes[scheme])
})

test('each reference leads to a schema of the document, and each schema is used or named', () => {
  const text = openApiText()
  const targets = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, target = '']) => target)
  const names = Object.keys(document.components.schemas)
  assert.ok(targets.length > 10)
  for (const target of targets) assert.ok(names.includes(target.replace('#/components/schemas/', '')), target)
  const used = new Set(targets.map((target) => target.replace('#/components/schemas/', '')))
  // A member of the request or of the answer that holds another document names its schema in prose.
  const { description = '' } = document.info as { readonly description?: string }
  for (const name of names) assert.ok(used.has(name) || description.includes(`: ${name},`), name)
})

test('the server has every operation of the document, and answers as it says', async (t) => {
  const { server, answered } = await serve(t)
  for (const { method, path } of operations) {
    const { answer } = send(server.url, {
      client,
      method,
      path: ofBoot(path),
      ...(method === 'POST' && { body: '{}' }),
    })
    const { status, headers, text } = await answer
    assert.equal(status, 200, path)
    expectDescribed(path, { status, type: headers['content-type'], text })
  }
  assert.deepEqual(
    answered,
    operations.map(({ path }) => `${path.replace('{boot}', ':boot')} 200`),
  )
})

test('the document has every route of the server: no other file adds one, and no other method is answered', async (t) => {
  assert.deepEqual(
    operations.map(({ method, path, operation }) => [operation.operationId, method, path]),
    ROUTE_LIST.map(([operation, { method, path }]) => [operation, method, path]),
  )
  const files = new Set(importsBelow('src/verifier').map(({ from }) => from))
  for (const file of files) {
    const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
    const added = [
      ...text.matchAll(/\bapp\.(?:get|head|post|put|delete|patch|options|all|route|register)\(/g),
    ]
    assert.deepEqual(
      added.map(([call]) => call),
      file === 'src/verifier/server.ts' ? ['app.route('] : [],
      file,
    )
  }
  const { server } = await serve(t)
  for (const path of Object.keys(document.paths))
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST']) {
      if (document.paths[path]?.[method.toLowerCase()] !== undefined) continue
      const { status, text } = await send(server.url, { client, method, path: ofBoot(path), body: '' }).answer
      assert.equal(status, 400, `${method} ${path}`)
      if (method !== 'HEAD') assert.equal(JSON.parse(text).code, 'request.malformed')
    }
})

test('GET /openapi.json gives the text that is in docs, to a client with a certificate only', async (t) => {
  const { server, until, tlsRefused } = await serve(t)
  const { status, headers, text } = await send(server.url, { client, method: 'GET', path: '/openapi.json' })
    .answer
  assert.equal(status, 200)
  assert.match(String(headers['content-type']), /^application\/json/)
  assert.equal(text, openApiText())
  const { ca } = client
  const stranger = httpsRequest(`${server.url}/openapi.json`, { ca }).end()
  await assert.rejects(
    new Promise((resolve, reject) => stranger.once('response', resolve).once('error', reject)),
  )
  await until(() => tlsRefused.length === 1)
  assert.deepEqual(tlsRefused, ['no-certificate 127.0.0.1'])
})

test('a code stands under its own status, once', () => {
  for (const { path } of operations)
    for (const [status, codes] of codesOf(path)) {
      assert.equal(new Set(codes).size, codes.length)
      for (const code of codes) assert.equal(String(ERRORS[code as ErrorCode].http), status, code)
    }
})

test('a release may be refused with each code that a step of the Verifier gives, objects excepted', () => {
  const said = new Set([...codesOf('/v1/releases').values()].flat())
  const steps = CODES.filter(
    (code) => ![null, 'witness'].includes(errorRow(code).stage) && !SUBJECTS.object.includes(code),
  )
  for (const code of steps) assert.ok(said.has(code), code)
})

test('each code that a file of the request path throws is in the document', async () => {
  const said = new Set(operations.flatMap(({ path }) => [...codesOf(path).values()].flat()))
  const imports = importsBelow('src/verifier')
  const reached = new Set([
    'src/verifier/server.ts',
    'src/verifier/release.ts',
    'src/adapters/evidence/log.ts',
  ])
  for (const file of reached)
    for (const { from, to } of imports) if (from === file && to.startsWith('src/verifier/')) reached.add(to)
  assert.ok(reached.size > 20)
  const thrown = new Map<string, string>()
  for (const file of reached) {
    const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
    for (const [, code = ''] of text.matchAll(/(?:CodedError|Shed)\(\s*'([a-z-]+\.[a-z-]+)'/g))
      thrown.set(code, file)
  }
  const unsaid = [...thrown.keys()].filter((code) => !said.has(code))
  assert.deepEqual(unsaid.sort(), ELSEWHERE)
})

/** Thrown at the start or by periodic tasks, or of an object or intent; no request is refused as a whole with these. */
const ELSEWHERE = [
  'config.invalid',
  'crl.superseded',
  'evidence.malformed',
  'intent.mismatched',
  'key.unopened',
  'result.committed',
]

test('the document allows the problem of each code that it says', async (t) => {
  // An hour between any two requests: no rate refuses here.
  let hours = 0
  const monotonic = () => {
    hours += 1
    return hours * 3_600_000
  }
  let thrown: CodedError | undefined
  const { server } = await serve(t, {
    clock: { ...systemClock, monotonic },
    release: async () => {
      throw thrown
    },
  })
  for (const code of ROUTES.createRelease.codes) {
    thrown = code === 'client.busy' ? new Shed(code, 'x', 1) : new CodedError(code, 'x')
    // `send` compares every answer with the document.
    const { status, text } = await send(server.url, { client, body: '{}' }).answer
    assert.deepEqual([status, JSON.parse(text).code], [errorRow(code).http, code])
  }
})

test('the document does not allow a code that is not said', () => {
  const problem = (code: ErrorCode, status = errorRow(code).http) => ({
    status,
    type: 'application/problem+json',
    text: JSON.stringify({
      type: `urn:confidential-worker:error:${code}`,
      title: errorRow(code).meaning,
      status,
      code,
      stage: errorRow(code).stage ?? 'request',
      retryable: false,
      denialId: 'ab'.repeat(16),
    }),
  })
  expectDescribed('/v1/challenges', problem('clock.skewed'))
  assert.throws(() => expectDescribed('/v1/challenges', problem('policy.stale')))
  assert.throws(() => expectDescribed('/v1/releases', problem('object.changed')))
  assert.throws(() => expectDescribed('/v1/releases', problem('nonce.spent', 403)))
})
