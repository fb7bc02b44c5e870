/** /dev/sev-guest (linux/sev-guest.h), through the native addon, off the event loop. */
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

/** The worker attests the most privileged level; a guest below one has no device for it. */
const VMPL = 0
/** SNP_GUEST_VMM_ERR_INVALID_LEN: the host's table is longer than what was asked for. The one error that wipes nothing. */
const INVALID_LENGTH = 1

/** GUEST_FIELD_SELECT of MSG_KEY_REQ. Bit 6, the launch mitigation vector, has no place in Linux's request. */
const KEY_FIELDS = { policy: 0, imageId: 1, familyId: 2, measurement: 3, guestSvn: 4, tcb: 5 } as const
export type KeyField = keyof typeof KEY_FIELDS

export type KeyRequest = {
  /** The chip's own key (of a VCEK, or of the VLEK loaded), or that of the migration agent. */
  readonly root: 'chip' | 'migration-agent'
  /** What of this guest goes into the key: a guest that differs there gets another. Nothing: every guest of the chip gets it. */
  readonly fields: readonly KeyField[]
  /** No lower than the caller's own. */
  readonly vmpl: number
  /** No higher than those of the launch and of the committed firmware. TCB as the report has it, eight bytes little-endian. */
  readonly guestSvn: number
  readonly tcb: bigint
}

export type Device = Firmware & {
  /**
   * A key of 32 bytes that this chip derives for this guest, in memory that is locked; the caller releases it. It goes with
   * the chip, and with the VLEK where one is loaded: nothing that must outlive them may hang on it alone.
   */
  readonly deriveKey: (request: KeyRequest, signal?: AbortSignal) => Promise<Buffer>
}

/**
 * The device at `path`. Throws `sev.unavailable` at once where the addon or the device is missing, so that a worker without
 * them does not start.
 */
export function openDevice({
  path,
  clock,
  log,
}: {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
}): Device {
  const addon = loadAddon()
  if (addon instanceof CodedError) throw addon
  const lack = lackOfDevice(path)
  if (lack !== undefined) throw lack
  const turns = createTurns(clock)
  // Hosts change their table rarely, and drivers never: what was not to be had once is not asked for again.
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
    deriveKey: (request, signal) => turns.take(() => requestKey(addon, path, request), signal),
  }
}

/** Why nothing can be asked at `path`; undefined where something can. */
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

/** Or why there is no table, and for that alone no report: a request without it may succeed. */
async function requestExtendedReport(
  addon: Addon,
  path: string,
  reportData: Buffer,
): Promise<FirmwareReport | string> {
  const answer = await addon.getReport(path, reportData, VMPL, true)
  const { error, vmmError, tableLength } = answer
  // Either the key is gone, or the driver knows no extended request: only a plain one can tell.
  if (error === os.errno.ENOTTY) return 'its driver knows no such request'
  if (error === os.errno.EIO && vmmError === INVALID_LENGTH)
    return `the host's has ${tableLength} bytes, the driver takes ${MAX_TABLE_BYTES}`
  return reportOf(path, answer)
}

function reportOf(path: string, answer: ReportAnswer): FirmwareReport {
  assertAnswered(path, answer)
  if (answer.size !== REPORT_BYTES)
    throw new SevFault('sev.failed', `${path} gave a report of ${answer.size} bytes, not ${REPORT_BYTES}`)
  return { report: answer.report, table: answer.table }
}

async function requestKey(addon: Addon, path: string, request: KeyRequest): Promise<Buffer> {
  const { root, fields, vmpl, guestSvn, tcb } = request
  const select = fields.reduce((bits, field) => bits | (1n << BigInt(KEY_FIELDS[field])), 0n)
  const answer = await addon.getKey(path, root === 'chip' ? 0 : 1, select, vmpl, guestSvn, tcb)
  try {
    assertAnswered(path, answer)
    return answer.key
  } catch (error) {
    addon.releaseSecret(answer.key)
    throw error
  }
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
