/** Reports from /dev/sev-guest (linux/sev-guest.h), through the native addon, off the event loop. */
import { accessSync, constants, statSync } from 'node:fs'
import { constants as os } from 'node:os'
import { getSystemErrorName } from 'node:util'
import PQueue from 'p-queue'
import { type Addon, loadAddon, type ReportAnswer } from '#adapters/system/addon.ts'
import { sameBytes } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { FIELDS, REPORT_BYTES } from '#core/snp/layout.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import { readEndorsements } from './endorsements.ts'

const { at: REPORT_DATA_AT, size: REPORT_DATA_BYTES } = FIELDS.reportData
/** The worker attests the most privileged level; a guest below one has no device for it. */
const VMPL = 0

/**
 * After these the driver has wiped the guest's key to the firmware (VMPCK), or never had one: every later request
 * would give ENOTTY. Nothing but a new launch of the guest helps.
 */
const TERMINAL: ReadonlySet<number> = new Set([
  os.errno.ENOTTY,
  os.errno.ETIMEDOUT,
  os.errno.EIO,
  os.errno.EBADMSG,
])
const TRANSIENT: ReadonlySet<number> = new Set([os.errno.EINTR, os.errno.EAGAIN])

/**
 * A source over the device at `path`, with the certificates in the folder `endorsements`. Throws `sev.unavailable`
 * at once where the addon or the device is missing, so that a worker without them does not start.
 */
export function createDeviceSource(options: {
  readonly path?: string | undefined
  readonly endorsements: string
}): ReportSource {
  const { path = '/dev/sev-guest', endorsements } = options
  const addon = loadAddon()
  if (addon instanceof CodedError) throw addon
  assertDevice(path)
  // Owned by `request`: set once, by the answer that says so.
  let terminal: CodedError | undefined
  const queue = new PQueue({ concurrency: 1 })

  const request = async (reportData: Buffer, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted()
    if (terminal !== undefined) throw terminal
    try {
      return await requestReport(addon, path, reportData)
    } catch (error) {
      if (error instanceof DeviceFailure && error.terminal) terminal = error
      throw error
    }
  }

  return {
    kind: 'device',
    getReport: async (reportData, signal) => {
      if (reportData.byteLength !== REPORT_DATA_BYTES)
        throw new RangeError(`REPORT_DATA has ${reportData.byteLength} bytes, not ${REPORT_DATA_BYTES}`)
      signal?.throwIfAborted()
      const asked = Buffer.from(reportData)
      // An abort gives the caller its answer; the request itself cannot be called back, and keeps its turn: the queue
      // knows nothing of the signal.
      const report = await abandonable(
        queue.add(() => request(asked, signal)),
        signal,
      )
      return { report, certs: await readEndorsements(endorsements) }
    },
  }
}

class DeviceFailure extends CodedError {
  readonly terminal: boolean

  constructor(code: ErrorCode, message: string, terminal: boolean) {
    super(code, message)
    this.terminal = terminal
  }
}

function assertDevice(path: string): void {
  try {
    if (!statSync(path).isCharacterDevice())
      throw new CodedError('sev.unavailable', `${path} is not a character device`)
    accessSync(path, constants.R_OK)
  } catch (cause) {
    if (cause instanceof CodedError) throw cause
    throw new CodedError(
      'sev.unavailable',
      `${path} cannot be opened; run as an SEV-SNP guest with the sev-guest driver, as a user who may read the device`,
      { cause },
    )
  }
}

async function requestReport(addon: Addon, path: string, reportData: Buffer): Promise<Buffer> {
  const answer = await addon.getReport(path, reportData, VMPL)
  assertAnswered(path, answer)
  const { report } = answer
  if (!sameBytes(report.subarray(REPORT_DATA_AT, REPORT_DATA_AT + REPORT_DATA_BYTES), reportData))
    throw new DeviceFailure('sev.failed', `${path} gave a report about other data than was asked for`, false)
  return report
}

function assertAnswered(
  path: string,
  { opened, error, fwError, vmmError, status, size }: ReportAnswer,
): void {
  if (error !== 0) {
    const name = getSystemErrorName(-error)
    if (!opened) throw new DeviceFailure('sev.unavailable', `${path} cannot be opened: ${name}`, false)
    const detail = `${path} gave ${name}, firmware error ${fwError}, hypervisor error ${vmmError}`
    if (TRANSIENT.has(error)) throw new DeviceFailure('sev.busy', detail, false)
    throw new DeviceFailure('sev.failed', detail, TERMINAL.has(error))
  }
  if (status !== 0)
    throw new DeviceFailure('sev.failed', `${path}: the firmware answered with status ${status}`, false)
  if (size !== REPORT_BYTES)
    throw new DeviceFailure(
      'sev.failed',
      `${path} gave a report of ${size} bytes, not ${REPORT_BYTES}`,
      false,
    )
}

function abandonable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
