/** Faults between a guest and its firmware. */
import { constants as os } from 'node:os'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { FirmwareFault } from '#ports/reportSource.ts'

type Numbers = Partial<Pick<FirmwareFault, 'errno' | 'fwError' | 'vmmError'>>

/** `sev.lost` is final: the driver has wiped the guest's key to the firmware (VMPCK), or never had one. */
export class SevFault extends CodedError implements FirmwareFault {
  readonly errno: number | undefined
  readonly fwError: number | undefined
  readonly vmmError: number | undefined

  constructor(code: ErrorCode, message: string, numbers: Numbers = {}, options?: { cause?: unknown }) {
    super(code, message, options)
    this.errno = numbers.errno
    this.fwError = numbers.fwError
    this.vmmError = numbers.vmmError
  }
}

/**
 * Codes by errno, after drivers/virt/coco/sev-guest. A request that was throttled until its time ran out,
 * failed, or came back unreadable costs the key, because its sequence number must not be used twice. After
 * that every request gives ENOTTY.
 */
const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [os.errno.ENOTTY, 'sev.lost'],
  [os.errno.ETIMEDOUT, 'sev.lost'],
  [os.errno.EIO, 'sev.lost'],
  [os.errno.EBADMSG, 'sev.lost'],
  [os.errno.EINTR, 'sev.busy'],
  [os.errno.EAGAIN, 'sev.busy'],
  [os.errno.EBUSY, 'sev.busy'],
])

/**
 * The code of a failed request. `sev.failed` for any other errno: the key is intact, and the next request may
 * succeed.
 */
export function codeOfErrno(errno: number): ErrorCode {
  return CODES.get(errno) ?? 'sev.failed'
}

/** The errno's name, such as "EIO". Node's list lacks some. */
export function nameOfErrno(errno: number): string {
  return Object.entries(os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
}
