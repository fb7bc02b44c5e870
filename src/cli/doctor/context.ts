/** What the doctors of people share: their services, and the skew that answers show. */
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import type { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { type ClockSkew, createClockSkew } from '#adapters/system/clockSkew.ts'
import type { Clock } from '#ports/clock.ts'

export type RoleContext<Config> = {
  readonly config: Config
  readonly oci: Oci
  readonly skew: ClockSkew
  readonly clock: Clock
}

/** Throws `config.invalid`. */
export function openRole<Config extends { readonly oci: OciConfig; readonly simulation: boolean }>(
  config: Config,
): { readonly context: RoleContext<Config>; readonly close: () => void } {
  return openContext(config, config.simulation)
}

export function openContext<Config extends { readonly oci: OciConfig }>(
  config: Config,
  simulation: boolean,
): { readonly context: RoleContext<Config>; readonly close: () => void } {
  const skew = createClockSkew(systemClock)
  const oci = createOci(config.oci, { allowPlainHttp: simulation, clock: systemClock, skew })
  return { context: { config, oci, skew, clock: systemClock }, close: oci.close }
}
