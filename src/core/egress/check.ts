/**
 * The last look at a result before it is sealed, by the contract of the grant and without any trust in the workload:
 * the table is parsed again from its bytes.
 */
import { CodedError } from '../errors.ts'
import type { OutputContract } from './contract.ts'
import { COUNT_TABLE_CONTENT_TYPE, type CountTable, CountTableFormat, compareCells } from './table.ts'

/** Throws `output.violated`. What is not a count table passes only where the contract shows all cells. */
export function checkOutput(output: Uint8Array, contentType: string, contract: OutputContract): void {
  if (contentType !== contract.contentType)
    throw new CodedError('output.violated', `the output is ${contentType}, not ${contract.contentType}`)
  if (output.byteLength > contract.maxBytes)
    throw new CodedError(
      'output.violated',
      `the output has ${output.byteLength} bytes, the limit is ${contract.maxBytes}`,
    )
  if (contract.minimumCell === 1) return
  if (contentType !== COUNT_TABLE_CONTENT_TYPE)
    throw new CodedError('output.violated', `small cells cannot be looked for in ${contentType}`)
  checkCells(CountTableFormat.decode(output), contract.minimumCell)
}

function checkCells(output: CountTable, minimumCell: number): void {
  if (output.minimumCell !== minimumCell)
    throw new CodedError(
      'output.violated',
      `the table was made for cells of ${output.minimumCell}, the contract demands ${minimumCell}`,
    )
  // A cell of n persons has at least n resources, so this holds whichever of the two is counted.
  const small = output.table.findIndex(({ count }) => count > 0 && count < minimumCell)
  if (small >= 0)
    throw new CodedError(
      'output.violated',
      `cell ${small} of the table is below the smallest that may be shown`,
    )
  const misplaced = output.table.findIndex((cell, index) => {
    const before = output.table[index - 1]
    return before !== undefined && compareCells(before, cell) >= 0
  })
  // Two cells about the same thing could be told apart by a second run and subtracted.
  if (misplaced >= 0)
    throw new CodedError('output.violated', `cell ${misplaced} of the table is out of order or a repetition`)
}
