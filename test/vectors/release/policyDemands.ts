/** Vectors of what a policy must say: the floors of machines for real data, and the quota of a permission. */
import type { Policy } from '#core/policy/policy.ts'
import { ada, grace, POLICY, ROOT, VERIFIER } from './cases.ts'
import { ANY_POLICY, signed } from './documents.ts'
import type { Vector } from './vector.ts'

const SPEC = 'docs/formats/release.md §9.1'

const [reference] = POLICY.referenceValues
const [dataset] = POLICY.datasets
const [permission] = dataset?.permissions ?? []

export async function policyDemandVectors(): Promise<Vector[]> {
  if (reference === undefined || dataset === undefined || permission === undefined) return []
  const { guestPolicy, processors } = reference
  const [processor] = processors
  if (processor === undefined) return []
  const make = async (
    name: string,
    note: string,
    changes: object,
    expectation: Pick<Vector, 'expect' | 'output'>,
    simulation = false,
  ): Promise<Vector> => ({
    name: `policy ${name}`,
    spec: SPEC,
    operation: 'load-policy',
    input: {
      ...(await signed(ANY_POLICY, { ...POLICY, ...changes }, [ada.signer, grace.signer])),
      root: ROOT,
      verifier: { ...VERIFIER, simulation },
    },
    ...expectation,
    note,
  })
  const refused = { expect: { error: 'policy.invalid' } } as const
  const accepted = { expect: 'accepted', output: POLICY.seq } as const
  const real = (changes: object): Partial<Policy> => ({
    simulation: false,
    roots: POLICY.roots.map((root) => ({ ...root, simulated: false })),
    referenceValues: [{ ...reference, ...changes }],
    datasets: [{ ...dataset, synthetic: false }],
  })
  const floorOf = (part: object) => ({
    processors: [{ ...processor, floor: { ...processor.floor, ...part } }],
  })
  const quota = (value: unknown) => ({
    datasets: [{ ...dataset, permissions: [{ ...permission, quota: value }] }],
  })
  const { quota: good, ...unlimited } = permission
  return [
    await make('of real data', 'what the floors demand', real({}), accepted),
    ...(await Promise.all(
      (
        [
          ['debugging', { guestPolicy: { ...guestPolicy, debug: 'any' } }],
          ['migration', { guestPolicy: { ...guestPolicy, migrateMa: 'any' } }],
          ['VMPL 1', { vmpl: 1 }],
          ['SNP firmware of any age', floorOf({ snp: 0 })],
          ['microcode of any age', floorOf({ microcode: 0 })],
        ] as const
      ).map(([what, changes]) =>
        make(
          `of real data with ${what}`,
          'refused unless all datasets are synthetic',
          real(changes),
          refused,
        ),
      ),
    )),
    await make(
      'of synthetic data with debugging',
      'a development machine may do',
      { referenceValues: [{ ...reference, guestPolicy: { ...guestPolicy, debug: 'required' } }] },
      accepted,
      true,
    ),
    await make(
      'with a permission without a quota',
      'no field has a default',
      { datasets: [{ ...dataset, permissions: [unlimited] }] },
      refused,
      true,
    ),
    ...(await Promise.all(
      (
        [
          ['an unlimited number of releases', { ...good, releases: null }],
          ['windows longer than a month', { ...good, hours: 745 }],
          ['an extra limit', { ...good, patients: 1 }],
        ] as const
      ).map(([what, value]) => make(`with a quota of ${what}`, 'closed schema', quota(value), refused, true)),
    )),
  ]
}
