/** The disk below the services: full as long as a fault of `disk` says so. */
import type { Faults } from './faults.ts'
import { OciError } from './service.ts'

/** Takes room for this many bytes of a file. Throws 500 without any effect if they do not fit. */
export type ClaimRoom = (bytes: number) => void

export function roomFor(file: string, faults: Pick<Faults, 'take'>): ClaimRoom {
  return (bytes) => {
    const full = faults.take({ service: 'disk', method: 'WRITE', path: file, principal: undefined, bytes })
    if (full !== undefined)
      throw new OciError(500, 'InternalServerError', 'ENOSPC: no space left on the device of the emulator')
  }
}
