/** `report show` for people: where each field stands, what it says, and what that means. */
import { TCB_NAMES } from '#core/snp/report.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS } from '#core/snp/tcb.ts'
import type { ShownBit, ShownField, ShownReport } from './reportShow.ts'
import { columns, labelled, wrap } from './textBlock.ts'

export function renderShown(shown: ShownReport): string {
  return `${[heading(shown), tcbTable(shown), ...shown.fields.map(field)].filter((text) => text !== '').join('\n\n')}\n`
}

function heading({ problem, product, die }: ShownReport): string {
  const processor = product === null ? 'not known' : die === product ? product : `${product} (${die})`
  return [
    'CLAIMED     what the bytes say; nothing is verified: see "report verify"',
    ...(problem === null ? [] : [`NOT ALLOWED  ${problem.message} (${problem.code})`]),
    `processor   ${processor}`,
  ].join('\n')
}

function tcbTable({ tcb, tcbLayout, product }: ShownReport): string {
  if (tcbLayout === null) return 'TCB: the layout of this processor is not known here'
  if (tcb === null) return `TCB: not in the layout of ${tcbLayout}`
  const components = TCB_COMPONENTS.filter((name) => TCB_LAYOUTS[tcbLayout].bytes.includes(name))
  const layout =
    product === null
      ? 'in the layout of Milan and Genoa: version 2 does not say'
      : `in the layout of ${product}`
  return columns([
    ['TCB', ...components, layout],
    ...TCB_NAMES.map((name) => [name, ...components.map((component) => String(tcb[name][component]))]),
  ])
}

const OFFSET = 7
const NAME = 20

function field({ offset, name, value, meaning, notes, bits }: ShownField): string {
  const at = `0x${offset.toString(16).toUpperCase().padStart(3, '0')}`
  const lines = value === meaning ? [value] : [wrap(value), meaning, ...notes, ...bits.map(bit)]
  return labelled(at.padEnd(OFFSET) + name, lines.join('\n'), OFFSET + NAME)
}

function bit({ bit: index, name, set, meaning }: ShownBit): string {
  return `${set ? 'set' : ' - '}  ${String(index).padStart(2)} ${name.padEnd(26)}${meaning}`
}
