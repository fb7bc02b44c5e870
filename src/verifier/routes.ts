/**
 * The routes, by operation. The server adds them from this table (server.ts), and the OpenAPI document says
 * what is in it (openapi.ts).
 */
import { z } from 'zod'
import { WITNESS_ERRORS } from '#core/errors/operation.ts'
import type { ErrorCode } from '#core/errors.ts'
import { CheckpointSubmission, WitnessAnswer } from '#core/evidence/witness/submission.ts'
import { SUBJECTS } from '#core/release/about.ts'
import { Challenge } from '#core/release/nonce.ts'
import { MAX_REQUEST_BYTES, ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'

export const OPENAPI_VERSION = '3.1.0'

export type Route = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly summary: string
  /** Bytes of a request's body. */
  readonly maxBytes: number
  /** Request headers, with what they are for. */
  readonly headers: Readonly<Record<string, string>>
  /** Null: the body may be empty. */
  readonly request: z.ZodType | null
  readonly response: z.ZodType
  /** The codes of requests that are refused as a whole. */
  readonly codes: readonly ErrorCode[]
  /** If a refusal may carry its proof: it was decided and signed. */
  readonly decides: boolean
}

/** What may refuse a request on its way to any route (gate.ts, problems.ts). */
const ON_THE_WAY = [
  'request.malformed',
  'client.busy',
  'verifier.unavailable',
  'tls.refused',
  'internal.fault',
] as const satisfies readonly ErrorCode[]

const EVIDENCE = [
  'evidence.unavailable',
  'evidence.conflict',
  'evidence.overdue',
] as const satisfies readonly ErrorCode[]

/** What only the witness says. */
const isOfWitness = (code: ErrorCode) => Object.hasOwn(WITNESS_ERRORS, code)

const NONCE = {
  nonce:
    "The challenge's nonce. Behind a gateway that ends TLS no body is read without it; elsewhere it is not looked at.",
}

export const ROUTES = {
  createChallenge: {
    method: 'POST',
    path: '/v1/challenges',
    summary: 'A nonce for one release request',
    // A client may send `{}`.
    maxBytes: 1024,
    headers: {},
    request: null,
    response: Challenge,
    codes: [...ON_THE_WAY, 'clock.skewed'],
    decides: false,
  },
  createRelease: {
    method: 'POST',
    path: '/v1/releases',
    summary: 'Keys for jobs, each granted or refused; without jobs a preflight',
    maxBytes: MAX_REQUEST_BYTES,
    headers: NONCE,
    request: ReleaseRequest,
    response: ReleaseResponse,
    // What is said of an object is said of its job only.
    codes: [
      ...new Set<ErrorCode>([
        ...ON_THE_WAY,
        ...SUBJECTS.worker,
        ...SUBJECTS.pair,
        ...SUBJECTS.time,
        ...EVIDENCE,
      ]),
    ].filter((code) => !isOfWitness(code)),
    decides: true,
  },
  createCosignature: {
    method: 'POST',
    path: '/v1/logs/{boot}/checkpoints',
    summary: "The cosignature of a worker's checkpoint, and a permit for each announced result",
    maxBytes: MAX_REQUEST_BYTES,
    headers: NONCE,
    request: CheckpointSubmission,
    response: WitnessAnswer,
    codes: [
      ...ON_THE_WAY,
      ...EVIDENCE,
      'nonce.invalid',
      'nonce.expired',
      'nonce.spent',
      'clock.skewed',
      'policy.none',
      'policy.stale',
      'service.unavailable',
      'service.denied',
      'service.missing',
      'service.failed',
      'boot.unregistered',
      'checkpoint.unsigned',
      'checkpoint.behind',
      'checkpoint.forked',
      'checkpoint.unreadable',
    ],
    decides: false,
  },
  getOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    maxBytes: 1024,
    headers: {},
    request: null,
    response: z.looseObject({ openapi: z.literal(OPENAPI_VERSION) }),
    codes: ON_THE_WAY,
    decides: false,
  },
} as const satisfies Readonly<Record<string, Route>>

export type Operation = keyof typeof ROUTES

/** In the order of the table. */
export const ROUTE_LIST: readonly (readonly [Operation, Route])[] = Object.entries(ROUTES).map(
  // The keys of the table are the operations.
  ([operation, route]) => [operation as Operation, route],
)
