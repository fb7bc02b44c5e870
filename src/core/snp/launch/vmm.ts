/**
 * Hypervisors, and whether the launch digest under them is settled. A digest that is only believed to be right ends in
 * a policy that approves nothing, or the wrong thing: what is not settled is refused.
 */
import { CodedError } from '../../errors/report.ts'

const UNSETTLED = {
  ec2: 'two implementations expect different digests of the same inputs under EC2',
  gce: 'no report of a guest under GCE stands beside its inputs, so nothing confirms what is said of its save areas',
} as const

export const VMMS = ['qemu', ...(Object.keys(UNSETTLED) as readonly (keyof typeof UNSETTLED)[])] as const
export type Vmm = (typeof VMMS)[number]

/** Throws `launch.unsettled`, with the reason. */
export function assertSettled(vmm: Vmm): void {
  if (vmm !== 'qemu')
    throw new CodedError(
      'launch.unsettled',
      `the launch digest is not computed for ${vmm}: ${UNSETTLED[vmm]}`,
    )
}
