/** Rows about what OCI must permit a role, and what it must refuse. */
import { randomBytes } from 'node:crypto'
import type { Oci } from '#adapters/oci/clients.ts'
import { codeOf } from '#core/errors.ts'
import type { ObjectRef } from '#ports/objectStore.ts'
import { type Check, finding, good, left } from './check.ts'

type Bucket = Omit<ObjectRef, 'name'>
type Services = { readonly oci: Oci }

/** With `under` the row is about names that begin so. */
export type Act = { readonly verb: Verb; readonly under?: string }
type Verb = 'list' | 'read' | 'create' | 'overwrite' | 'delete'

const PERMISSIONS = {
  list: 'OBJECT_INSPECT',
  read: 'OBJECT_READ',
  create: 'OBJECT_CREATE',
  overwrite: 'OBJECT_OVERWRITE',
  delete: 'OBJECT_DELETE',
} as const satisfies Record<Verb, string>

const TRIES = {
  list: 'lists it',
  read: 'reads an object that is not there',
  create: 'creates an object on a condition that never holds',
  overwrite: 'overwrites its first object on a condition that never holds',
  delete: 'deletes an object that is not there',
} as const satisfies Record<Verb, string>

export type BucketRows<Context> = {
  /** The bucket's word in the ids of the rows. */
  readonly id: string
  /** Undefined if the configuration names none. */
  readonly place: (context: Context) => Bucket | undefined
  /** The file of infra/policies with the statements. */
  readonly policy: string
  readonly may: readonly Act[]
  readonly mustNot: readonly Act[]
}

export function bucketChecks<Context extends Services>(
  group: string,
  { id, place, policy, may, mustNot }: BucketRows<Context>,
): readonly Check<Context>[] {
  const row = (act: Act, isAllowed: boolean): Check<Context> => {
    const { verb, under } = act
    const permission = PERMISSIONS[verb]
    const where = `on ${id}${under === undefined ? '' : `, names ${under}…`}`
    const base = {
      id: [id, verb, ...(under === undefined ? [] : [under.replaceAll(/\W+$/g, '')])].join('.'),
      tries: `${TRIES[verb]}${under === undefined ? '' : ` (${under}…)`}`,
      remedy: isAllowed
        ? `give ${group} ${permission} ${where} (infra/policies/${policy}), or correct the bucket's name`
        : `take ${permission} ${where} away from ${group} (infra/policies/${policy})`,
    }
    const ask = async (context: Context, signal: AbortSignal) => {
      const bucket = place(context)
      return bucket === undefined ? 'no bucket is named' : attempt(context, bucket, act, signal)
    }
    return isAllowed ? allowed(base, ask) : refused(base, ask)
  }
  return [...may.map((act) => row(act, true)), ...mustNot.map((act) => row(act, false))]
}

type Answer = boolean | string
type Row = Pick<Check<never>, 'id' | 'tries' | 'remedy'>

/** `ask` gives a text if there is nothing to try it on. */
export function allowed<Context>(
  row: Row,
  ask: (context: Context, signal: AbortSignal) => Promise<Answer>,
): Check<Context> {
  return {
    ...row,
    expects: 'allowed',
    run: async (context, signal) => {
      const answer = await ask(context, signal)
      if (typeof answer === 'string') return left(answer)
      return answer ? good('allowed') : finding('refused, or it is not there')
    },
  }
}

export function refused<Context>(
  row: Row,
  ask: (context: Context, signal: AbortSignal) => Promise<Answer>,
): Check<Context> {
  return {
    ...row,
    expects: 'refused',
    run: async (context, signal) => {
      const answer = await ask(context, signal)
      if (typeof answer === 'string') return left(answer)
      return answer ? finding('allowed, and must be refused') : good('refused')
    },
  }
}

async function attempt(
  { oci }: Services,
  bucket: Bucket,
  { verb, under = '' }: Act,
  signal: AbortSignal,
): Promise<Answer> {
  const probes = oci.probes()
  const absent = { ...bucket, name: `${under}doctor-${randomBytes(8).toString('hex')}` }
  switch (verb) {
    case 'list':
      return (await firstOf(oci, bucket, under, signal)) !== HIDDEN
    case 'read':
      return await probes.mayRead(absent)
    case 'create':
      return await probes.mayWrite(absent)
    case 'delete':
      return await probes.mayDelete(absent)
    case 'overwrite': {
      const first = await firstOf(oci, bucket, under, signal)
      if (first === HIDDEN) return 'the bucket cannot be listed, so no object of it is known'
      if (first === undefined) return 'the bucket has no object yet'
      return await probes.mayWrite({ ...bucket, name: first })
    }
  }
}

const HIDDEN = Symbol('hidden')

/** The name of the first object; undefined if there is none. */
async function firstOf(
  oci: Oci,
  bucket: Bucket,
  prefix: string,
  signal: AbortSignal,
): Promise<string | undefined | typeof HIDDEN> {
  try {
    for await (const { name } of oci.objectStore().list(bucket, prefix, undefined, signal)) return name
    return undefined
  } catch (error) {
    if (codeOf(error) !== 'service.missing') throw error
    return HIDDEN
  }
}
