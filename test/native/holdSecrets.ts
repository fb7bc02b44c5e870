/** A program for the tests: opens locked memory for as many secrets as its argument says, and prints "held" or the code. */
import { openSecretMemory } from '#adapters/system/secretMemory.ts'
import { CodedError } from '#core/errors.ts'

try {
  openSecretMemory(Number(process.argv[2]))
  console.log('held')
} catch (error) {
  if (!(error instanceof CodedError)) throw error
  console.log(`${error.code}: ${error.message}`)
}
