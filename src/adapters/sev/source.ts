/** Which source of attestation reports a worker uses: what its configuration names, or what this machine has. */
import { z } from 'zod'
import { loadAddon } from '#adapters/system/addon.ts'
import type { Log } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import { lackOfDevice, openDevice } from './device.ts'
import { createEndorsements, EndorsementsConfig } from './endorsements.ts'
import { createFirmwareSource, type Firmware } from './firmware.ts'
import { createSocketSource } from './socket.ts'
import { openTsm } from './tsm.ts'

const absolutePath = z
  .string()
  .max(4000)
  .regex(/^\/[^\0]*$/, 'must be an absolute path')

export const ReportSourceConfig = z.discriminatedUnion('source', [
  z.strictObject({
    /** The device if the addon is built and the device can be read, else configfs-tsm. */
    source: z.literal('auto'),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('device'),
    /** The character device of the sev-guest driver; /dev/sev-guest unless given. */
    path: absolutePath.optional(),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('configfs-tsm'),
    /** Where the kernel takes requests; /sys/kernel/config/tsm/report unless given. */
    path: absolutePath.optional(),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('socket'),
    /** The unix socket of a simulated platform; only with `simulation: true`, which the trust digest shows. */
    path: absolutePath,
  }),
])
export type ReportSourceConfig = z.output<typeof ReportSourceConfig>

/** Where Linux has them. */
const PLACES = { device: '/dev/sev-guest', tsm: '/sys/kernel/config/tsm/report' } as const

type Around = {
  readonly simulation: boolean
  readonly clock: Clock
  readonly log: Log
  readonly places?: { readonly device: string; readonly tsm: string }
}

/**
 * Says in one line of the log which source it is, and why. Throws `sev.unavailable` where it is not there (addon, device,
 * provider) or not permitted (a simulation in a worker that is none), with what to do about it.
 */
export async function createReportSource(config: ReportSourceConfig, around: Around): Promise<ReportSource> {
  const { log } = around
  if (config.source === 'socket') {
    if (!around.simulation)
      throw new CodedError(
        'sev.unavailable',
        'a socket is no source of real reports; set "simulation": true for a simulated platform, or use the device',
      )
    return createSocketSource(config.path)
  }
  const { firmware, because } = await openFirmware(config, around)
  log.info('attestation source', { source: firmware.kind, because })
  const endorsements = createEndorsements(config.endorsements, around)
  return createFirmwareSource(firmware, { endorsements, log })
}

async function openFirmware(
  config: Exclude<ReportSourceConfig, { source: 'socket' }>,
  { clock, log, places = PLACES }: Around,
): Promise<{ readonly firmware: Firmware; readonly because: string }> {
  const because = 'the configuration says so'
  switch (config.source) {
    case 'device':
      return { firmware: openDevice({ path: config.path ?? places.device, clock, log }), because }
    case 'configfs-tsm':
      return { firmware: await openTsm({ folder: config.path ?? places.tsm, clock, log }), because }
    case 'auto':
      return await chooseFirmware({ clock, log, places })
  }
}

/** The device first: it alone tells the errors of firmware and hypervisor, and it needs no right to write. */
async function chooseFirmware({ clock, log, places }: Required<Omit<Around, 'simulation'>>) {
  const addon = loadAddon()
  const lack = addon instanceof CodedError ? addon : lackOfDevice(places.device)
  if (lack === undefined)
    return {
      firmware: openDevice({ path: places.device, clock, log }),
      because: `the addon is built and ${places.device} can be read`,
    }
  try {
    return {
      firmware: await openTsm({ folder: places.tsm, clock, log }),
      because: `${lack.message}; ${places.tsm} takes requests`,
    }
  } catch (cause) {
    const why = cause instanceof CodedError ? cause.message : 'it cannot be asked'
    throw new CodedError('sev.unavailable', `no source of reports: ${lack.message}; and ${why}`, { cause })
  }
}
