/**
 * The rules about the host's firmware: its versions agree, and are committed, recent enough and mitigated.
 */
import type { Firmware } from '../snp/report.ts'
import { below } from '../snp/tcb.ts'
import type { Rule } from './reference.ts'
import { refuse, unless, type Violation } from './violation.ts'

/**
 * reported ≤ committed ≤ current. Firmware that states otherwise cannot be believed in the rest either. The
 * TCB at launch has no place in this order: an import takes the new host's, and going back from firmware that
 * was never committed leaves it above the current one.
 */
export const tcbOrder: Rule = ({ verified: { tcb } }) =>
  [['reported', 'committed'] as const, ['committed', 'current'] as const].flatMap(([low, high]) =>
    below(tcb[high], tcb[low]).map((component) =>
      refuse({
        code: 'tcb.inconsistent',
        field: `tcb.${low}.${component}`,
        expected: `at most ${tcb[high][component]}, as ${high}`,
        actual: String(tcb[low][component]),
      }),
    ),
  )

/** The same order for the firmware versions. */
export const firmwareOrder: Rule = ({ verified: { report } }) => {
  const { committed, current } = report.firmware
  return unless(!isBefore(current, committed), {
    code: 'tcb.inconsistent',
    field: 'firmware.committed',
    expected: `at most ${textOf(current)}, as current`,
    actual: textOf(committed),
  })
}

/**
 * The host can go back from firmware that it has not committed, at any time and without a trace in the next
 * report.
 */
export const commitment: Rule = ({ verified: { tcb, report } }, { firmwareProfile }) => {
  if (firmwareProfile === 'provisional') return []
  const { committed, current } = report.firmware
  const behind = below(tcb.committed, tcb.current).map((component) =>
    refuse(provisional(`tcb.committed.${component}`, tcb.current[component], tcb.committed[component])),
  )
  const version = provisional('firmware.committed', textOf(current), textOf(committed))
  return [...behind, ...unless(!isBefore(committed, current), version)]
}

function provisional(field: string, current: string | number, committed: string | number): Violation {
  return { code: 'tcb.provisional', field, expected: `${current}, as current`, actual: String(committed) }
}

export const firmwareFloor: Rule = ({ verified: { report } }, { firmware: least }) =>
  (['current', 'committed'] as const).flatMap((which) =>
    unless(!isBefore(report.firmware[which], least), {
      code: 'firmware.below-floor',
      field: `firmware.${which}`,
      expected: `at least ${textOf(least)}`,
      actual: textOf(report.firmware[which]),
      remedy: `update the SEV firmware of the host${which === 'committed' ? ' and commit it' : ''}`,
    }),
  )

/** Compares the bits as a set: a higher bit does not make a vector larger. */
export const mitigations: Rule = ({ verified: { report } }, { mitigations: demanded }) =>
  (['launch', 'current'] as const).flatMap((which) => {
    const wanted = BigInt(`0x${demanded[which]}`)
    const given = report.mitigations?.[which]
    const missing = wanted & ~(given ?? 0n)
    return unless(missing === 0n, {
      code: 'mitigations.missing',
      field: `mitigations.${which}`,
      expected: `bits ${bitsOf(wanted)}`,
      actual:
        given === undefined ? `none stated, report version ${report.version}` : `without ${bitsOf(missing)}`,
      remedy:
        which === 'current'
          ? 'update the SEV firmware of the host to one with these mitigations (report version 5 or later)'
          : 'launch the guest again on a host whose firmware has these mitigations (report version 5 or later)',
    })
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
