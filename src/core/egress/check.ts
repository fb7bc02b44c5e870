/**
 * The last check of a result before it is sealed, against the contract of the grant. It trusts nothing about
 * the workload: the table is parsed again from its bytes.
 */
import { CodedError } from '../errors.ts'
import type { OutputContract } from './contract.ts'
import { COUNT_TABLE_CONTENT_TYPE, type CountTable, CountTableFormat, compareCells } from './table.ts'

/** Throws `output.violated`. Only a contract that shows all cells lets anything but a count table pass. */
export function checkOutput(output: Uint8Array, contentType: string, contract: OutputContract): void {
  if (contentType !== contract.contentType)
    throw new CodedError('output.violated', `the output is ${contentType}, expected ${contract.contentType}`)
  if (output.byteLength > contract.maxBytes)
    throw new CodedError(
      'output.violated',
      `the output has ${output.byteLength} bytes, the limit is ${contract.maxBytes}`,
    )
  if (contract.minimumCell === 1) return
  if (contentType !== COUNT_TABLE_CONTENT_TYPE)
    throw new CodedError('output.violated', `${contentType} cannot be checked for small cells`)
  checkCells(CountTableFormat.decode(output), contract.minimumCell)
}

function checkCells(output: CountTable, minimumCell: number): void {
  if (output.minimumCell !== minimumCell)
    throw new CodedError(
      'output.violated',
      `minimumCell of the table is ${output.minimumCell}, the contract requires ${minimumCell}`,
    )
  // A cell of n persons has at least n resources, so this check is sound for either count.
  const small = output.table.findIndex(({ count }) => count > 0 && count < minimumCell)
  if (small >= 0)
    throw new CodedError(
      'output.violated',
      `cell ${small} of the table is below the minimum of ${minimumCell}`,
    )
  const misplaced = output.table.findIndex((cell, index) => {
    const before = output.table[index - 1]
    return before !== undefined && compareCells(before, cell) >= 0
  })
  // Two cells about the same subject could be told apart by a second run and subtracted.
  if (misplaced >= 0)
    throw new CodedError('output.violated', `cell ${misplaced} of the table is out of order or repeated`)
}
