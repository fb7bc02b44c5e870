/**
 * The last check of a result before it is sealed, against the contract of the grant. It trusts nothing about
 * the workload: the table is parsed again from its bytes.
 */
import { canonicalText } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { type Disclosure, leastPersons, type OutputContract } from './contract.ts'
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
  const { disclosure } = contract
  if (disclosure.form === 'exact') return
  if (contentType !== COUNT_TABLE_CONTENT_TYPE)
    throw new CodedError('output.violated', `${contentType} cannot be checked for small cells`)
  checkCells(CountTableFormat.decode(output), disclosure)
}

function checkCells(output: CountTable, disclosure: Disclosure): void {
  const [made, required] = [output.disclosure, disclosure].map(canonicalText)
  if (made !== required)
    throw new CodedError(
      'output.violated',
      `disclosure of the table is ${made}, the contract requires ${required}`,
    )
  const least = leastPersons(disclosure)
  // A cell of n persons has at least n resources, so this check is sound for either count.
  const small = output.table.findIndex(({ count }) => count > 0 && count < least)
  if (small >= 0)
    throw new CodedError('output.violated', `cell ${small} of the table is below the threshold of ${least}`)
  const misplaced = output.table.findIndex((cell, index) => {
    const before = output.table[index - 1]
    return before !== undefined && compareCells(before, cell) >= 0
  })
  // Two cells about the same subject could be told apart by a second run and subtracted.
  if (misplaced >= 0)
    throw new CodedError('output.violated', `cell ${misplaced} of the table is out of order or repeated`)
}
