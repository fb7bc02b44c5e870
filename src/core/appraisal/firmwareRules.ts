/** The rules about the host's firmware: that its versions agree with each other, are committed, new enough and mitigated. */
import type { Refusal } from '../errors/report.ts'
import type { Firmware } from '../snp/report.ts'
import { below } from '../snp/tcb.ts'
import type { Rule } from './reference.ts'

/**
 * reported ≤ committed ≤ current, and the same of the versions: firmware that states otherwise is not to be believed in the rest
 * either. The TCB at launch stands in no such order: an import takes the new host's, and going back from firmware that was never
 * committed leaves it above the current one.
 */
export const tcbOrder: Rule = ({ verified: { tcb } }) =>
  [['reported', 'committed'] as const, ['committed', 'current'] as const].flatMap(([low, high]) =>
    below(tcb[high], tcb[low]).map((component) => ({
      code: 'tcb.inconsistent' as const,
      field: `tcb.${low}.${component}`,
      expected: `at most ${tcb[high][component]}, as ${high}`,
      actual: String(tcb[low][component]),
      remedy: 'look into the host: genuine firmware does not report this',
    })),
  )

export const firmwareOrder: Rule = ({ verified: { report } }) => {
  const { committed, current } = report.firmware
  if (!isBefore(current, committed)) return []
  return [
    {
      code: 'tcb.inconsistent',
      field: 'firmware.committed',
      expected: `at most ${textOf(current)}, as current`,
      actual: textOf(committed),
      remedy: 'look into the host: genuine firmware does not report this',
    },
  ]
}

/** What runs ahead of what is committed can be taken back by the host at any time, without a trace in the next report. */
export const commitment: Rule = ({ verified: { tcb, report } }, { firmwareProfile }) => {
  if (firmwareProfile === 'provisional') return []
  const { committed, current } = report.firmware
  const behind = below(tcb.committed, tcb.current).map((component) =>
    provisional(`tcb.committed.${component}`, tcb.current[component], tcb.committed[component]),
  )
  return isBefore(committed, current)
    ? [...behind, provisional('firmware.committed', textOf(current), textOf(committed))]
    : behind
}

function provisional(field: string, current: string | number, committed: string | number): Refusal {
  return {
    code: 'tcb.provisional',
    field,
    expected: `${current}, as current`,
    actual: String(committed),
    remedy: 'have the host commit its firmware, or approve the provisional profile in a new policy',
  }
}

export const firmwareFloor: Rule = ({ verified: { report } }, { firmware: least }) =>
  (['current', 'committed'] as const)
    .filter((which) => isBefore(report.firmware[which], least))
    .map((which) => ({
      code: 'firmware.below-floor',
      field: `firmware.${which}`,
      expected: `at least ${textOf(least)}`,
      actual: textOf(report.firmware[which]),
      remedy: `update the SEV firmware of the host${which === 'committed' ? ' and commit it' : ''}`,
    }))

/** Bits are compared as a set: a vector is not larger for carrying a higher bit. */
export const mitigations: Rule = ({ verified: { report } }, { mitigations: demanded }) =>
  (['launch', 'current'] as const).flatMap((which) => {
    const wanted = BigInt(`0x${demanded[which]}`)
    const given = report.mitigations?.[which]
    const missing = wanted & ~(given ?? 0n)
    if (missing === 0n) return []
    return [
      {
        code: 'mitigations.missing' as const,
        field: `mitigations.${which}`,
        expected: `bits ${bitsOf(wanted)}`,
        actual:
          given === undefined
            ? `none stated, report version ${report.version}`
            : `without ${bitsOf(missing)}`,
        remedy:
          which === 'current'
            ? 'update the SEV firmware of the host to one with these mitigations (report version 5 or later)'
            : 'launch the guest again on a host whose firmware has these mitigations (report version 5 or later)',
      },
    ]
  })

function bitsOf(vector: bigint): string {
  return Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => ((vector >> BigInt(bit)) & 1n) === 1n)
    .join(', ')
}

/** Major, then minor, then build. */
function isBefore(a: Firmware, b: Firmware): boolean {
  return a.major !== b.major ? a.major < b.major : a.minor !== b.minor ? a.minor < b.minor : a.build < b.build
}

function textOf({ major, minor, build }: Firmware): string {
  return `${major}.${minor}.${build}`
}
