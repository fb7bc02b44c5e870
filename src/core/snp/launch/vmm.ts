/**
 * The hypervisors whose launch digest can be computed. A wrong digest in the reference values approves
 * nothing, or the wrong guest, so hypervisors without a confirmed computation are refused.
 */
import { CodedError } from '../../errors/report.ts'

const UNSETTLED = {
  ec2: 'two implementations compute different digests from the same inputs',
  gce: 'no known report of a guest comes with its inputs, so nothing confirms the content of its save areas',
} as const

/** Every hypervisor that has a name here, confirmed or not. */
export const VMMS = ['qemu', ...(Object.keys(UNSETTLED) as readonly (keyof typeof UNSETTLED)[])] as const
/** The name of a hypervisor. */
export type Vmm = (typeof VMMS)[number]

/** Throws `launch.unsettled`, with the reason, unless the launch digest under `vmm` is confirmed. */
export function assertSettled(vmm: Vmm): void {
  if (vmm !== 'qemu')
    throw new CodedError(
      'launch.unsettled',
      `the launch digest is not computed for ${vmm}: ${UNSETTLED[vmm]}`,
    )
}
