/**
 * The place of a decision: a grant names the Verifier's log, its checkpoint and the index of
 * `release.decided`. What is under a checkpoint of a registered log cannot be left out of it later.
 */
import type { Registration } from '../boot/registration.ts'
import { CodedError, under } from '../errors.ts'
import type { Grant } from '../release/grant.ts'
import { openCheckpoint } from './checkpoint.ts'
import { noteKey } from './note.ts'

/**
 * Throws `grant.invalid` unless the checkpoint is of the registered Verifier's log and covers the index.
 * `registration` is the verified one of `grant.log.boot`, or undefined if there is none.
 */
export function expectRecorded({ log }: Pick<Grant, 'log'>, registration: Registration | undefined): void {
  const { boot, checkpoint, index } = log
  if (registration?.boot !== boot || registration.role !== 'verifier')
    throw invalid(`${boot} is not registered as a Verifier`)
  const { size } = under('grant.invalid', () =>
    openCheckpoint(checkpoint, noteKey(registration.origin, registration.key)),
  )
  if (index >= size) throw invalid(`its checkpoint has ${size} entries and does not cover entry ${index}`)
}

function invalid(message: string): CodedError {
  return new CodedError('grant.invalid', `log of the grant: ${message}`)
}
