/** The confidential VMs of the demonstration: what each was launched with, and whether the hospital approves of that. */
import { join } from 'node:path'
import { sha384, toHex, utf8 } from '#core/bytes.ts'
import type { GuestOptions } from './emulatorConfig.ts'

/** Launch measurements; a real one is computed from the image. */
export const MEASUREMENTS = {
  /** The worker's image, approved at `measured`. */
  approved: measurementOf('worker image 1'),
  /** The cloud's own firmware with any disk behind it, approved at `platform`. */
  platform: measurementOf('firmware of a VM shape'),
  /** Somebody's image. */
  unapproved: measurementOf('worker image 1, changed by one byte'),
} as const

/** Guests that ask for what they must not get. */
export const PROBES = [
  {
    name: 'probe-unapproved',
    who: 'a VM with an image that nobody approved',
    measurement: MEASUREMENTS.unapproved,
    debug: false,
    code: 'measurement.unknown',
  },
  {
    name: 'probe-debug',
    who: 'a VM of the approved image with debugging on',
    measurement: MEASUREMENTS.approved,
    debug: true,
    code: 'guest-policy.debug',
  },
  {
    name: 'probe-platform',
    who: 'a VM of the cloud whose disk nobody measures',
    measurement: MEASUREMENTS.platform,
    debug: false,
    code: 'assurance.insufficient',
  },
] as const

export function workerName(index: number): string {
  return `worker-${index + 1}`
}

/** The workers, then the probes. */
export function guestsOf(socketFolder: string, workers: readonly string[]): readonly GuestOptions[] {
  const guest = (name: string, measurement: string, debug: boolean): GuestOptions => ({
    name,
    socketPath: join(socketFolder, `${name}.sock`),
    platform: { measurement, guestPolicy: { debug } },
  })
  return [
    ...workers.map((name) => guest(name, MEASUREMENTS.approved, false)),
    ...PROBES.map(({ name, measurement, debug }) => guest(name, measurement, debug)),
  ]
}

function measurementOf(image: string): string {
  return toHex(sha384(utf8(image)))
}
