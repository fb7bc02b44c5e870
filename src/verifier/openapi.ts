/**
 * The OpenAPI 3.1 document of the routes. Its schemas are those that decode requests and answers; what is
 * inside a JWS or base64url has a schema of its own, which a description names.
 */
import { z } from 'zod'
import { utf8 } from '#core/bytes.ts'
import { type ErrorCode, errorRow } from '#core/errors.ts'
import { PermitFormat, PermitRefusalFormat } from '#core/evidence/witness/permit.ts'
import { CheckpointSubmission, LogPath, WitnessAnswer } from '#core/evidence/witness/submission.ts'
import { GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import { Challenge } from '#core/release/nonce.ts'
import { Problem, RefusalFormat } from '#core/release/refusal.ts'
import { RefusedResponse, ReleaseJobsFormat, ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'
import { RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { OPENAPI_VERSION, ROUTE_LIST, type Route } from './routes.ts'

/** A refusal that was decided, with the proof that leads from the provider root to its signature. */
const DecidedProblem = Problem.extend(RefusedResponse.shape)

const COMPONENTS: Readonly<Record<string, z.ZodType>> = {
  Challenge,
  ReleaseRequest,
  ReleaseResponse,
  Problem,
  DecidedProblem,
  Jobs: ReleaseJobsFormat.schema,
  RuntimeData: RuntimeDataFormat.schema,
  Grant: GrantFormat.schema,
  GrantKey: GrantKeyFormat.schema,
  Refusal: RefusalFormat.schema,
  CheckpointSubmission,
  WitnessAnswer,
  Permit: PermitFormat.schema,
  PermitRefusal: PermitRefusalFormat.schema,
}

/** Which component is inside which member, and how. */
const INSIDE = [
  ['ReleaseRequest.runtimeData', 'RuntimeData, base64url of its canonical JSON'],
  ['ReleaseRequest.jobs', 'Jobs, base64url of their canonical JSON'],
  ['ReleaseResponse.grantKey', 'GrantKey, as compact JWS (cw-grant-key) by the grant CA'],
  ['ReleaseResponse.freshness', 'Freshness, as compact JWS (cw-freshness) by the freshness key'],
  ['ReleaseResponse.answers[].grant', 'Grant, as compact JWS (cw-grant) by the grant key'],
  ['ReleaseResponse.answers[].refusal', 'Refusal, as compact JWS (cw-refusal) by the grant key'],
  ['WitnessAnswer.grantKey', 'GrantKey, as compact JWS (cw-grant-key) by the grant CA'],
  ['WitnessAnswer.permits[].permit', 'Permit, as compact JWS (cw-permit) by the grant key'],
  ['WitnessAnswer.permits[].refusal', 'PermitRefusal, as compact JWS (cw-permit-refusal) by the grant key'],
  ['DecidedProblem.refusal', 'Refusal, as compact JWS (cw-refusal) by the grant key'],
] as const

const DESCRIPTION = `Releases keys to attested workers. docs/formats/release.md specifies order, signatures and refusals.

A member that holds another document:

${INSIDE.map(([member, what]) => `- \`${member}\`: ${what}`).join('\n')}`

/** The document, in the order of the routes. */
export function openApiText(): string {
  const document = {
    openapi: OPENAPI_VERSION,
    info: {
      title: 'confidential-worker Verifier',
      version: '1',
      summary: 'Attested release of keys',
      description: DESCRIPTION,
    },
    paths: Object.fromEntries(
      ROUTE_LIST.map(([operationId, route]) => [
        route.path,
        { [route.method.toLowerCase()]: { operationId, ...operationOf(route) } },
      ]),
    ),
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        clientCertificate: {
          type: 'mutualTLS',
          description: 'By a client CA of the provider, shown here or at its gateway; TLS 1.3',
        },
      },
    },
    security: [{ clientCertificate: [] }],
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

/** Computed once: an answer costs no more than its bytes. */
export function openApiBytes(): Buffer {
  return utf8(openApiText())
}

function componentSchemas(): Readonly<Record<string, object>> {
  const registry = z.registry<{ readonly id: string }>()
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { uri: refOf, io: 'input' })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  )
}

function operationOf({ path, summary, headers, request, response, codes, decides }: Route) {
  const ok = { description: summary, content: { 'application/json': { schema: schemaOf(response) } } }
  return {
    summary,
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: 'path',
        required: true,
        schema: schemaOf(LogPath.shape.boot),
      })),
      ...Object.entries(headers).map(([name, description]) => ({
        name,
        in: 'header',
        description,
        schema: { type: 'string' },
      })),
    ],
    ...(request !== null && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(request) } } },
    }),
    responses: { 200: ok, ...refusalsOf(codes, decides) },
  }
}

/** The refusals of each status, with the meanings of their codes. */
function refusalsOf(codes: readonly ErrorCode[], decides: boolean) {
  const byStatus = Map.groupBy(codes, (code) => errorRow(code).http)
  const schema = decides
    ? { anyOf: [{ $ref: refOf('Problem') }, { $ref: refOf('DecidedProblem') }] }
    : { $ref: refOf('Problem') }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `- \`${code}\`: ${errorRow(code).meaning}`).join('\n'),
        ...(group.some(isShed) && { headers: { 'Retry-After': RETRY_AFTER } }),
        content: {
          'application/problem+json': { schema: { allOf: [schema, codeIn(status, group)] } },
        },
      },
    ]),
  )
}

const codeIn = (status: number, codes: readonly ErrorCode[]) => ({
  type: 'object',
  properties: { status: { const: status }, code: { enum: codes } },
})

/** `Shed` gives these (admission.ts). */
const isShed = (code: ErrorCode) => code === 'client.busy' || code === 'verifier.unavailable'
const RETRY_AFTER = {
  description: 'Seconds, with `client.busy` and `verifier.unavailable`',
  schema: { type: 'integer', minimum: 1 },
}

function schemaOf(schema: z.ZodType): object {
  const [id] = Object.entries(COMPONENTS).find(([, component]) => component === schema) ?? []
  if (id !== undefined) return { $ref: refOf(id) }
  const { $schema: _, ...inline } = z.toJSONSchema(schema, { io: 'input' })
  return inline
}

function refOf(id: string): string {
  return `#/components/schemas/${id}`
}
