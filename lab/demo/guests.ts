/**
 * The confidential VMs of the demo: the launch measurement of each, and the refusal that each probe must get.
 */
import { join } from 'node:path'
import { sha384, toHex, utf8 } from '#core/bytes.ts'
import type { GuestOptions } from './emulatorConfig.ts'

/** Launch measurements. Here each is the hash of a label; a real one is computed from the image. */
export const MEASUREMENTS = {
  /** The worker's image, approved with assurance `measured`. */
  approved: measurementOf('worker image 1'),
  /** The cloud's own firmware with an unmeasured disk, approved with assurance `platform`. */
  platform: measurementOf('firmware of a VM shape'),
  /** An image that the hospital has not approved. */
  unapproved: measurementOf('worker image 1, changed by one byte'),
} as const

/** Guests that ask for the key and must be refused with `code`. */
export const PROBES = [
  {
    name: 'probe-unapproved',
    machine: 'a VM with an image that the hospital has not approved',
    measurement: MEASUREMENTS.unapproved,
    debug: false,
    code: 'measurement.unknown',
  },
  {
    name: 'probe-debug',
    machine: 'a VM with the approved image and debugging enabled',
    measurement: MEASUREMENTS.approved,
    debug: true,
    code: 'guest-policy.debug',
  },
  {
    name: 'probe-platform',
    machine: 'a VM whose firmware is approved but whose disk is not measured',
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
