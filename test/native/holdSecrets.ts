/**
 * A program for the tests: `holdSecrets.ts COUNT` opens locked memory for COUNT secrets and prints "held" or
 * the error.
 */
import { openSecretMemory } from '#adapters/system/secretMemory.ts'
import { CodedError } from '#core/errors.ts'

try {
  openSecretMemory(Number(process.argv[2]))
  console.log('held')
} catch (error) {
  if (!(error instanceof CodedError)) throw error
  console.log(`${error.code}: ${error.message}`)
}
