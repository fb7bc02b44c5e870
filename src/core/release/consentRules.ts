/** The rules about consent: no release from a dataset with consent keys before it is known who withdrew. */
import type { Refusal } from '../errors.ts'
import type { ConsentUnion } from '../policy/consentUnion.ts'
import type { Dataset } from '../policy/policy.ts'

type Lists = ReadonlyMap<string, ConsentUnion>

/** `lists`: of the datasets whose lists a freshness statement names. */
export function consentReasons({ id, consent }: Dataset, lists: Lists): Refusal[] {
  const problem = consent === null ? '' : problemOf(lists.get(id), consent)
  if (problem === '') return []
  return [
    {
      code: 'consent.none',
      field: `dataset ${id}.consent`,
      expected: 'consent lists in force that a freshness statement names',
      actual: problem,
      remedy: 'publish a first list (consent start), or have the quorum merge the lists (consent restore)',
    },
  ]
}

function problemOf(lists: ConsentUnion | undefined, { keyIds }: NonNullable<Dataset['consent']>): string {
  if (lists === undefined) return 'no freshness statement names its lists'
  if (lists.problem !== '') return lists.problem
  const foreign = lists.inForce.find(({ list }) => !keyIds.includes(list.custody.keyId))
  return foreign === undefined ? '' : `list ${foreign.seq} is under a Vault key that the policy does not name`
}
