/** What a policy must demand of machines if any of its datasets is real. */
import type { Policy } from './policy.ts'
import type { PolicyReference } from './referenceSchema.ts'

type Problem = { readonly field: string; readonly found: string; readonly expected: string }
type Rule = (reference: PolicyReference) => readonly Problem[]

const RULES: readonly Rule[] = [
  // The host of a guest that allows debugging reads and writes all of its memory.
  ({ guestPolicy: { debug } }) => forbidden('guestPolicy.debug', debug),
  // A migration agent can move the guest to another machine, which no report names.
  ({ guestPolicy: { migrateMa } }) => forbidden('guestPolicy.migrateMa', migrateMa),
  // A level below the highest is in the hands of software that the measurement need not cover.
  ({ vmpl }) => (vmpl === 0 ? [] : [{ field: 'vmpl', found: String(vmpl), expected: '0' }]),
  // Without a floor, a machine with firmware of any age would do.
  ({ processors }) =>
    processors.flatMap(({ product, floor: { snp, microcode } }, index) =>
      Object.entries({ snp, microcode }).flatMap(([part, found]) =>
        found > 0
          ? []
          : [
              {
                field: `processors[${index}].floor.${part}`,
                found: `0 for ${product}`,
                expected: 'at least 1',
              },
            ],
      ),
    ),
]

/** Empty if every dataset is synthetic: a simulated or a development machine may then do. */
export function realDataProblems({ datasets, referenceValues }: Policy): string[] {
  const real = datasets.filter(({ synthetic }) => !synthetic).map(({ id }) => id)
  if (real.length === 0) return []
  return referenceValues.flatMap((reference) =>
    RULES.flatMap((rule) => rule(reference)).map(
      ({ field, found, expected }) =>
        `reference ${reference.id}: ${field} is ${found}, dataset ${real[0]} is real and requires ${expected}`,
    ),
  )
}

function forbidden(field: string, found: string): readonly Problem[] {
  return found === 'forbidden' ? [] : [{ field, found, expected: 'forbidden' }]
}
