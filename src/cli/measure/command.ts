/** `measure`, as it is typed. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import type { SolveOptions } from './solve.ts'

/** As commander gives them: what was not typed is absent. */
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
    .summary('compute the MEASUREMENT of a guest, or find out what one was launched with')
    .description(
      'Computes the launch digest that the SEV-SNP reports of a guest under QEMU and KVM carry as MEASUREMENT. With --solve or --report it goes the other way: it tries every combination of what is given, and says which one a measurement comes from.',
    )
    .option('--ovmf <file>', 'the firmware, as QEMU loads it', many)
    .option('--vcpus <n>', 'how many vCPUs; to solve, also 1-64 or 1,2,4 (then default 1-256)', many)
    .option('--vcpu-type <type>', 'CPU model of QEMU, such as EPYC-v4 (to solve, default every one)', many)
    .option('--vcpu-sig <hex>', 'instead: CPUID Fn0000_0001_EAX of the vCPUs, such as 0x00a10f11', many)
    .option('--kernel <file>', 'kernel, where QEMU measures it (kernel-hashes=on)', many)
    .option('--initrd <file>', 'its initrd', many)
    .option('--append <text>', 'its command line, byte for byte', many)
    .option('--guest-features <hex>', 'SEV_FEATURES (default 0x1; to solve, the usual ones)', many)
    .option('--fpu-state <state>', 'x87 and SSE: reset (default), or zero on hosts before Linux 6.10', many)
    .option('--vmm <name>', 'hypervisor: qemu; ec2 and gce are refused, with the reason', 'qemu')
    .option('--ovmf-hash <hex>', 'the digest after OVMF’s pages, for a file that has only its end')
    .option('--solve <measurement>', 'say which launch has this measurement')
    .option('--report <file>', 'the same, with the measurement of this report (which is not verified)')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker measure --ovmf OVMF.fd --vcpus 4 --vcpu-type EPYC-v4 \\
    --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0 root=/dev/vda verity=…'
  confidential-worker measure --ovmf OVMF.fd --vcpus 1-64 --kernel old --kernel new --report report.bin

To solve, every option but --vmm and --ovmf-hash may be repeated or take several values by commas (files and
command lines: repeat). A launch without a measured kernel is always among what is tried. docs/measure.md says what
a measurement covers and what not.

Exit codes
  0 computed, or explained   1 nothing that was tried explains it   2 a file or number is not what it should be`,
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
