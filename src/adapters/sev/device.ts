/** The device /dev/sev-guest (linux/sev-guest.h), through the native addon, off the event loop. */
import { accessSync, constants, statSync } from 'node:fs'
import { constants as os } from 'node:os'
import { type Addon, type DeviceOutcome, loadAddon, type ReportAnswer } from '#adapters/system/addon.ts'
import type { Log } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import { MAX_TABLE_BYTES } from '#core/snp/certificateTable.ts'
import { REPORT_BYTES } from '#core/snp/layout.ts'
import type { Clock } from '#ports/clock.ts'
import { codeOfErrno, nameOfErrno, SevFault } from './fault.ts'
import type { Firmware, FirmwareReport } from './firmware.ts'
import { createTurns } from './turns.ts'

/** The most privileged level. A guest that runs below it has no device for it. */
const VMPL = 0
/**
 * SNP_GUEST_VMM_ERR_INVALID_LEN: the host's table is longer than the buffer. The only error that wipes no
 * key.
 */
const INVALID_LENGTH = 1

/**
 * Opens the device at `path`. Throws `sev.unavailable` at once if the addon or the device is missing, so that
 * a worker without them does not start.
 */
export function openDevice({
  path,
  clock,
  log,
}: {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
}): Firmware {
  const addon = loadAddon()
  if (addon instanceof CodedError) throw addon
  const lack = lackOfDevice(path)
  if (lack !== undefined) throw lack
  const turns = createTurns(clock)
  // Hosts rarely change their table, and drivers never: a table that was refused once is not requested again.
  let asksForTable = true

  return {
    kind: 'device',
    lost: turns.lost,
    getReport: async (reportData, signal) => {
      const requestPlain = () => turns.take(() => requestReport(addon, path, reportData), signal)
      if (!asksForTable) return await requestPlain()
      const extended = await turns.take(() => requestExtendedReport(addon, path, reportData), signal)
      if (typeof extended !== 'string') return extended
      const plain = await requestPlain()
      asksForTable = false
      log.warn('the device gives no certificate table', { because: extended })
      return plain
    },
  }
}

/** The reason why the device at `path` cannot be used, or undefined. */
export function lackOfDevice(path: string): CodedError | undefined {
  try {
    if (!statSync(path).isCharacterDevice())
      return new CodedError('sev.unavailable', `${path} is not a character device`)
    accessSync(path, constants.R_OK)
    return undefined
  } catch (cause) {
    return new CodedError(
      'sev.unavailable',
      `${path} cannot be opened; run as an SEV-SNP guest with the sev-guest driver, as a user who may read the device`,
      { cause },
    )
  }
}

async function requestReport(addon: Addon, path: string, reportData: Buffer): Promise<FirmwareReport> {
  return reportOf(path, await addon.getReport(path, reportData, VMPL, false))
}

/** Returns a text if the table is the only reason for the failure: a request without it may succeed. */
async function requestExtendedReport(
  addon: Addon,
  path: string,
  reportData: Buffer,
): Promise<FirmwareReport | string> {
  const answer = await addon.getReport(path, reportData, VMPL, true)
  const { error, vmmError, tableLength } = answer
  // Either the key is gone, or the driver has no extended request. Only a plain request can tell.
  if (error === os.errno.ENOTTY) return 'its driver has no extended request'
  if (error === os.errno.EIO && vmmError === INVALID_LENGTH)
    return `the host's table has ${tableLength} bytes, the driver takes ${MAX_TABLE_BYTES}`
  return reportOf(path, answer)
}

function reportOf(path: string, answer: ReportAnswer): FirmwareReport {
  assertAnswered(path, answer)
  if (answer.size !== REPORT_BYTES)
    throw new SevFault('sev.failed', `${path} gave a report of ${answer.size} bytes, not ${REPORT_BYTES}`)
  return { report: answer.report, table: answer.table }
}

function assertAnswered(path: string, outcome: DeviceOutcome): void {
  const { opened, error, fwError, vmmError, status } = outcome
  const numbers = { errno: error, fwError, vmmError }
  if (error !== 0) {
    const name = nameOfErrno(error)
    if (!opened) throw new SevFault('sev.unavailable', `${path} cannot be opened: ${name}`, numbers)
    const detail = `${path} gave ${name}, firmware error ${fwError}, hypervisor error ${vmmError}`
    throw new SevFault(codeOfErrno(error), detail, numbers)
  }
  if (status !== 0)
    throw new SevFault('sev.failed', `${path}: the firmware answered with status ${status}`, numbers)
}
