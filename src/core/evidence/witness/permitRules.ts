/** Decides whether an announced result may become visible. Whatever was revoked since the release counts. */
import type { Refusal } from '../../errors.ts'
import { thumbprint } from '../../jwk.ts'
import type { Revoked } from '../../policy/revocation.ts'
import type { Grant } from '../../release/grant.ts'
import { resultIdOfGrant } from '../../release/resultId.ts'
import { toRfc3339, toUnixSeconds, type UnixSeconds } from '../../time.ts'
import type { Entry } from '../entry.ts'

export type Intent = Extract<Entry, { event: 'result.intent' }>

export type PermitCase = {
  /** By a certified grant key. */
  readonly grant: Grant
  /** The entry that the request names, from the log itself; undefined if it is no `result.intent`. */
  readonly intent: Intent | undefined
  /** Of the log. */
  readonly boot: string
  readonly revoked: Revoked
  readonly now: UnixSeconds
}

/** Undefined if nothing stands against it. The commit is then left. */
export function permitRefusal(request: PermitCase): Refusal | undefined {
  for (const rule of RULES) {
    const refusal = rule(request)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

type Rule = (request: PermitCase) => Refusal | undefined

const RULES: readonly Rule[] = [
  ({ intent, grant, boot }) => {
    const agreements: readonly (readonly [string, boolean])[] = [
      ['entry', intent !== undefined],
      ['grant.boot', grant.boot === boot],
      ['releaseId', intent?.releaseId === grant.releaseId],
      ['resultId', intent?.resultId === resultIdOfGrant(grant)],
      ['termsDigest', intent?.termsDigest === grant.termsDigest],
      ['recipient', intent?.recipient === thumbprint(grant.recipient.jwk)],
    ]
    const differing = agreements.filter(([, holds]) => !holds).map(([field]) => field)
    return differing.length === 0
      ? undefined
      : refuse('intent.mismatched', differing.join(', '), 'result.intent of this grant', 'another')
  },
  ({ grant, now }) =>
    now < grant.exp
      ? undefined
      : refuse('grant.expired', 'grant.exp', `after ${toRfc3339(now)}`, toRfc3339(toUnixSeconds(grant.exp))),
  ({ boot, revoked }) =>
    revoked.boots.includes(boot) ? refuse('boot.mismatch', 'boot', 'not revoked', boot) : undefined,
  ({ grant: { permission }, revoked }) =>
    revoked.permissions.includes(permission)
      ? refuse('permission.none', 'permission', 'not revoked', permission)
      : undefined,
  ({ grant: { reference }, revoked }) =>
    revoked.referenceValues.includes(reference)
      ? refuse('reference.revoked', 'reference', 'not revoked', reference)
      : undefined,
  ({ grant: { objects }, revoked }) => {
    const withdrawn = objects.find(({ sealId }) => revoked.objects.includes(sealId))
    return withdrawn && refuse('object.withdrawn', 'objects.sealId', 'not withdrawn', withdrawn.sealId)
  },
]

function refuse(code: Refusal['code'], field: string, expected: string, actual: string): Refusal {
  return { code, field, expected, actual, remedy: 'none: the result stays invisible' }
}
