/** Which source of attestation reports a worker uses, by its configuration. */
import { z } from 'zod'
import { CodedError } from '#core/errors.ts'
import type { ReportSource } from '#ports/reportSource.ts'
import { createDeviceSource } from './device.ts'
import { createSocketSource } from './socket.ts'

const absolutePath = z
  .string()
  .max(4000)
  .regex(/^\/[^\0]*$/, 'must be an absolute path')

export const ReportSourceConfig = z.discriminatedUnion('source', [
  z.strictObject({
    source: z.literal('device'),
    /** The character device of the sev-guest driver; /dev/sev-guest unless given. */
    path: absolutePath.optional(),
    /**
     * The folder with AMD's certificates for this chip and TCB: `vcek.der` or `vlek.der`, and if wanted `ask.der` or
     * `asvk.der`. Whoever changes them can only make the Verifier refuse.
     */
    endorsements: absolutePath,
  }),
  z.strictObject({
    source: z.literal('socket'),
    /** The unix socket of a simulated platform; only with `simulation: true`, which the trust digest shows. */
    path: absolutePath,
  }),
])
export type ReportSourceConfig = z.output<typeof ReportSourceConfig>

/**
 * Throws `sev.unavailable` where the source is not there (addon, device) or not permitted (a simulation in a worker
 * that is none), each with what to do about it.
 */
export function createReportSource(config: ReportSourceConfig, simulation: boolean): ReportSource {
  switch (config.source) {
    case 'device':
      return createDeviceSource(config)
    case 'socket':
      if (!simulation)
        throw new CodedError(
          'sev.unavailable',
          'a socket is no source of real reports; set "simulation": true for a simulated platform, or use the device',
        )
      return createSocketSource(config.path)
  }
}
