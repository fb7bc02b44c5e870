/** The result of `report show` for people: offset, name, value and meaning of each field. */
import { columns, labelled, wrap } from '#cli/textBlock.ts'
import { TCB_NAMES } from '#core/snp/report.ts'
import type { ShownField, ShownReport } from '#core/snp/shownReport.ts'
import type { ShownBit } from '#core/snp/shownValues.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS } from '#core/snp/tcb.ts'

export function renderShown(shown: ShownReport): string {
  return `${[heading(shown), tcbTable(shown), ...shown.fields.map(field)].filter((text) => text !== '').join('\n\n')}\n`
}

const WIDTH = 14

function heading(shown: ShownReport): string {
  const { problem, certificate } = shown
  return [
    labelled('CLAIMED', 'what the bytes say; nothing is verified (use "report verify" for that)', WIDTH),
    ...(problem === null ? [] : [labelled('NOT ALLOWED', `${problem.message} (${problem.code})`, WIDTH)]),
    labelled('processor', processorText(shown), WIDTH),
    ...(certificate === null ? [] : [labelled('certificate', certificate, WIDTH)]),
  ].join('\n')
}

function processorText({ product, die, tcbLayout }: ShownReport): string {
  if (product === null) return tcbLayout === null ? 'unknown' : 'not stated: version 2 has no CPUID'
  return die === product ? product : `${product} (${die})`
}

function tcbTable({ tcb, tcbLayout, product }: ShownReport): string {
  if (tcbLayout === null) return 'TCB: unknown layout, because the processor is unknown'
  if (tcb === null) return `TCB: the bytes do not fit the layout of ${tcbLayout}`
  const components = TCB_COMPONENTS.filter((name) => TCB_LAYOUTS[tcbLayout].bytes.includes(name))
  const layout =
    product === null
      ? 'in the layout of Milan and Genoa, since version 2 names no processor'
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
