/** What the Verifier's OpenAPI document, read as any client would, says of a request and its answer. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { openApiText } from '../../src/verifier/openapi.ts'

type Content = Readonly<Record<string, { readonly schema: object }>>
type Response = { readonly description: string; readonly headers?: object; readonly content: Content }
export type DescribedOperation = {
  readonly operationId: string
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
}
export type Document = {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>
    readonly securitySchemes: Readonly<Record<string, object>>
  }
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}

export const document: Document = JSON.parse(openApiText())

/** Every operation with its method and path, in the order of the document. */
export const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)

/** `#/components/schemas/X` → `#/$defs/X`: one schema that a validator can take alone. */
function validatorOf(schema: object): z.ZodType {
  const whole = { ...schema, $defs: document.components.schemas }
  const text = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/')
  return z.fromJSONSchema(JSON.parse(text))
}

/** Fails unless a schema of the document allows the value. */
export function expectValid(schema: object, value: unknown): void {
  const { error } = validatorOf(schema).safeParse(value)
  assert.equal(error, undefined, `${error?.message}`)
}

export function expectDescribedRequest(path: string, text: string): void {
  const { content } = document.paths[path]?.['post']?.requestBody ?? {}
  expectValid(content?.['application/json']?.schema ?? assert.fail(`${path} takes no body`), JSON.parse(text))
}

/** Of a path that is no route, only that the answer is a problem. */
export function expectDescribed(
  path: string,
  answer: { readonly status: number | undefined; readonly type: unknown; readonly text: string },
): void {
  const template = path.replace(/^(\/v1\/logs\/)[^/]+/, '$1{boot}')
  const operation = Object.values(document.paths[template] ?? {})[0]
  if (operation === undefined) {
    expectValid(document.components.schemas['Problem'] ?? {}, JSON.parse(answer.text))
    return
  }
  const response = operation.responses[String(answer.status)]
  assert.ok(response, `${operation.operationId} does not say ${answer.status}`)
  const type = String(answer.type).replace(/; charset=utf-8$/, '')
  const { schema } = response.content[type] ?? assert.fail(`${operation.operationId} does not give ${type}`)
  expectValid(schema, JSON.parse(answer.text))
}
