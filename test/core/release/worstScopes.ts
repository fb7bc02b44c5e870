/** The requests whose scopes cost the most, within the limits of a claim and of a policy. */
import { type Permission, type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { permissionOf, policyOf } from './releaseWorld.ts'

const CLAIM = 2048

/** As many of `scopeOf(0)`, `scopeOf(1)`, … as a claim holds. */
function filled(scopeOf: (index: number) => string, most = 64): string {
  const scopes: string[] = []
  for (let index = 0; index < most; index++) {
    if ([...scopes, scopeOf(index)].join(' ').length > CLAIM) break
    scopes.push(scopeOf(index))
  }
  return scopes.join(' ')
}

const values = (length: number) => 'a,'.repeat(length / 2).slice(0, -1)

/** Of the review: 100 scopes of every type, each with criteria of its own. Only a part fits into a claim. */
export const WORST_CLAIMS: Readonly<Record<string, string>> = {
  'every type, with criteria of its own': filled((index) => `system/*.rs?_tag=${index}`),
  'every type, 64 times': filled(() => 'system/*.rs'),
  'every type by single letters': filled((index) => `system/*.${'cruds'[index % 5]}`),
  'one scope of every type, 63 others': filled((index) =>
    index === 0 ? 'system/*.rs?_tag=a' : `system/Patient.rs?_tag=${index}`,
  ),
  'long lists of values': filled(() => `system/*.rs?_tag=${values(490)}`),
  'long lists of other values': filled((index) => `system/Patient.rs?_tag=${index},${values(480)}`),
  'many criteria': filled((index) => `system/Patient.rs?${'_tag=a&'.repeat(66)}_tag=${index}`),
  'percent-encoded values': filled((index) => `system/Patient.rs?_tag=${index}${'%21'.repeat(150)}`),
  'texts that are none': filled((index) => `system/Patient.rs?_tag=${'%'.repeat(480)}${index}`),
}

/** One client's permissions, as many as a dataset holds, each with 209 scopes (146 and 63). */
export function widestPolicy(): Policy {
  const policy = policyOf()
  const [dataset] = policy.datasets
  if (dataset === undefined) throw new Error('the policy has no dataset')
  const permissions: Permission[] = Array.from({ length: 256 }, (_, index) =>
    permissionOf({
      id: `permission-${index}`,
      scopes: [
        'system/*.rs',
        ...Array.from({ length: 63 }, (_, at) => `system/Patient.rs?_tag=${index}-${at}`),
      ],
    }),
  )
  const widest = { ...policy, datasets: [{ ...dataset, permissions }] }
  PolicyFormat.encode(widest)
  return widest
}
