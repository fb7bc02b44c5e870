/** The command `measure`. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import type { SolveOptions } from './solve.ts'

/** As commander gives them: an option that was not typed is absent. */
type MeasureArguments = Partial<SolveOptions> & { readonly vmm: string; readonly json?: boolean }

const NOTHING_GIVEN = {
  ovmf: [],
  vcpus: [],
  vcpuType: [],
  vcpuSig: [],
  kernel: [],
  initrd: [],
  append: [],
  guestFeatures: [],
  fpuState: [],
} as const

const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

export function addMeasureCommand(program: Command, context: CommandContext): void {
  program
    .command('measure')
    .helpCommand(false)
    .summary('compute the measurement of a guest, or find the launch behind one')
    .description(
      'Computes the launch digest that SEV-SNP reports of a guest under QEMU and KVM carry as MEASUREMENT. With --solve or --report it works backwards: it tries every combination of the given files and values and prints the one that has the measurement.',
    )
    .option('--ovmf <file>', 'the firmware that QEMU loads', many)
    .option('--vcpus <n>', 'the number of vCPUs; if solving also 1-64 or 1,2,4 (default then: 1-256)', many)
    .option('--vcpu-type <type>', 'a CPU model of QEMU, for example EPYC-v4 (default if solving: all)', many)
    .option('--vcpu-sig <hex>', 'instead of a type: CPUID Fn0000_0001_EAX, for example 0x00a10f11', many)
    .option('--kernel <file>', 'the kernel, if QEMU measures it (kernel-hashes=on)', many)
    .option('--initrd <file>', 'its initrd', many)
    .option('--append <text>', 'its command line, byte for byte', many)
    .option('--guest-features <hex>', 'SEV_FEATURES (default: 0x1; if solving: the usual ones)', many)
    .option(
      '--fpu-state <state>',
      'x87 and SSE registers: reset (default), or zero on hosts before Linux 6.10',
      many,
    )
    .option('--vmm <name>', 'the hypervisor: qemu (default); ec2 and gce are refused with the reason', 'qemu')
    .option('--ovmf-hash <hex>', 'the digest after OVMF’s pages, if the file has only the end of OVMF')
    .option('--solve <measurement>', 'find the launch that has this measurement')
    .option('--report <file>', 'find the launch of this report, which is not verified')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker measure --ovmf OVMF.fd --vcpus 4 --vcpu-type EPYC-v4 \\
    --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0 root=/dev/vda verity=…'
  confidential-worker measure --ovmf OVMF.fd --vcpus 1-64 --kernel old --kernel new --report report.bin

To solve, every option except --vmm and --ovmf-hash may have several values: repeat files and command lines, and
separate other values by commas. A launch without a measured kernel is always tried too. docs/measure.md explains
what a measurement covers.

Exit codes
  0   computed or found
  1   no tried launch has the measurement
  2   malformed input or a wrong command line`,
    )
    .action(async ({ json, ...given }: MeasureArguments) => {
      const options = { ...NOTHING_GIVEN, ...given }
      const { terminal } = context
      const deps = { progress: terminal.progress, signal: terminal.interruption() }
      if (options.solve === undefined && options.report === undefined) {
        const [{ measureFiles }, { renderLaunch }] = await Promise.all([
          import('./measure.ts'),
          import('./text.ts'),
        ])
        const launch = await measureFiles(options, deps)
        if (json === true) terminal.printJson(launch)
        else terminal.print(renderLaunch(launch))
        return
      }
      const [{ solveFiles }, { renderSolution }] = await Promise.all([
        import('./solve.ts'),
        import('./text.ts'),
      ])
      const { exit, result } = await solveFiles(options, deps)
      if (json === true) terminal.printJson(result)
      else terminal.print(renderSolution(result))
      context.exit(exit)
    })
}
