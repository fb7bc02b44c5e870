/** The choice of a worker's report source: the configured one, or the one that this machine has. */
import { z } from 'zod'
import { loadAddon } from '#adapters/system/addon.ts'
import { AbsolutePath } from '#adapters/system/configFile.ts'
import type { Log } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import { lackOfDevice, openDevice } from './device.ts'
import { createEndorsements, EndorsementsConfig } from './endorsements.ts'
import { createFirmwareSource, type Firmware } from './firmware.ts'
import { createSocketSource } from './socket.ts'
import { openTsm } from './tsm.ts'

export const ReportSourceConfig = z.discriminatedUnion('source', [
  z.strictObject({
    /** The device if the addon is built and the device can be read, else configfs-tsm. */
    source: z.literal('auto'),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('device'),
    /** The character device of the sev-guest driver; by default /dev/sev-guest. */
    path: AbsolutePath.optional(),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('configfs-tsm'),
    /** The kernel's folder for requests; by default /sys/kernel/config/tsm/report. */
    path: AbsolutePath.optional(),
    endorsements: EndorsementsConfig,
  }),
  z.strictObject({
    source: z.literal('socket'),
    /**
     * The unix socket of a simulated platform; only with `simulation: true`, which the trust digest shows.
     */
    path: AbsolutePath,
  }),
])
export type ReportSourceConfig = z.output<typeof ReportSourceConfig>

/** Linux's own paths. */
const PLACES = { device: '/dev/sev-guest', tsm: '/sys/kernel/config/tsm/report' } as const

type Surroundings = {
  readonly simulation: boolean
  readonly clock: Clock
  readonly log: Log
  readonly places?: { readonly device: string; readonly tsm: string }
}

/**
 * Logs the choice and its reason in one line. Throws `sev.unavailable` if the source is missing (addon,
 * device, provider) or not permitted (a simulated one outside a simulation). The message says what to do.
 */
export async function createReportSource(
  config: ReportSourceConfig,
  surroundings: Surroundings,
): Promise<ReportSource> {
  const { log, simulation } = surroundings
  if (config.source === 'socket') {
    if (!simulation)
      throw new CodedError(
        'sev.unavailable',
        'a socket gives only simulated reports; set "simulation": true for a simulated platform, or use the device',
      )
    return createSocketSource(config.path)
  }
  const { firmware, because } = await openFirmware(config, surroundings)
  log.info('attestation source', { source: firmware.kind, because })
  const endorsements = createEndorsements(config.endorsements, surroundings)
  return createFirmwareSource(firmware, { endorsements, log })
}

async function openFirmware(
  config: Exclude<ReportSourceConfig, { source: 'socket' }>,
  { clock, log, places = PLACES }: Surroundings,
): Promise<{ readonly firmware: Firmware; readonly because: string }> {
  const because = 'the configuration names it'
  switch (config.source) {
    case 'device':
      return { firmware: openDevice({ path: config.path ?? places.device, clock, log }), because }
    case 'configfs-tsm':
      return { firmware: await openTsm({ folder: config.path ?? places.tsm, clock, log }), because }
    case 'auto':
      return await chooseFirmware({ clock, log, places })
  }
}

/**
 * Tries the device first: only it gives the errors of firmware and hypervisor, and it needs no permission to
 * write.
 */
async function chooseFirmware({ clock, log, places }: Required<Omit<Surroundings, 'simulation'>>) {
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
    const why = cause instanceof CodedError ? cause.message : 'it cannot be used'
    throw new CodedError('sev.unavailable', `no source of reports: ${lack.message}; ${why}`, { cause })
  }
}
