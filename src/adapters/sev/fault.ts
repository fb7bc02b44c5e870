/** What went wrong between a guest and its firmware. */
import { constants as os } from 'node:os'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { FirmwareFault } from '#ports/reportSource.ts'

type Numbers = Partial<Pick<FirmwareFault, 'errno' | 'fwError' | 'vmmError'>>

/** `sev.lost` is for good: the driver has wiped the guest's key to the firmware (VMPCK), or never had one. */
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
 * By drivers/virt/coco/sev-guest. After a `sev.lost` every later request would give ENOTTY: a throttled one that ran out of
 * time, or one that failed or came back unreadable, costs the key, since its number may not be used twice.
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

/** Of a request that failed with this errno; any other failed for a reason of its own, and the next may succeed. */
export function codeOfErrno(errno: number): ErrorCode {
  return CODES.get(errno) ?? 'sev.failed'
}

/** Such as "EIO". Node's own names leave some out. */
export function nameOfErrno(errno: number): string {
  return Object.entries(os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
}
