/** The flags of `measure`, parsed strictly: one form per number, closed lists. */
import { CodedError } from '#core/errors.ts'
import type { NamedSignature } from '#core/snp/launch/candidates.ts'
import { LAUNCH_DIGEST_BYTES } from '#core/snp/launch/digest.ts'
import { MAX_VCPUS } from '#core/snp/launch/measure.ts'
import { VCPU_TYPES } from '#core/snp/launch/vcpuTypes.ts'
import { VMMS, type Vmm } from '#core/snp/launch/vmm.ts'
import { FPU_STATES, type FpuState } from '#core/snp/launch/vmsa.ts'

/** As typed. An option that may be repeated is a list, which is empty if the option was not given. */
export type MeasureOptions = {
  readonly ovmf: readonly string[]
  readonly ovmfHash?: string | undefined
  /** `4`, `1-64`, `1,2,4-8`. */
  readonly vcpus: readonly string[]
  readonly vcpuType: readonly string[]
  readonly vcpuSig: readonly string[]
  readonly guestFeatures: readonly string[]
  readonly fpuState: readonly string[]
  readonly vmm: string
  readonly kernel: readonly string[]
  readonly initrd: readonly string[]
  readonly append: readonly string[]
}

const RANGE = /^([1-9]\d{0,5})(?:-([1-9]\d{0,5}))?$/
const HEX = /^0x[0-9a-f]{1,16}$/i
const DIGEST = new RegExp(`^[0-9a-f]{${LAUNCH_DIGEST_BYTES * 2}}$`)
const MAX_SIGNATURE = 0xffff_ffffn

/** Ascending, each once. Throws `usage.invalid`. */
export function parseVcpus(texts: readonly string[]): readonly number[] {
  const counts = new Set<number>()
  for (const text of parts(texts)) {
    const [, from, to = from] = RANGE.exec(text) ?? []
    const [least, most] = [Number(from), Number(to)]
    if (from === undefined || least > most || most > MAX_VCPUS)
      throw usage(`--vcpus takes a number or a range such as 1-64, up to ${MAX_VCPUS}, not ${quote(text)}`)
    for (let count = least; count <= most; count += 1) counts.add(count)
  }
  return [...counts].sort((a, b) => a - b)
}

/** `--vcpu-type` and `--vcpu-sig`. Throws `usage.invalid`. */
export function parseNamedSignatures({
  vcpuType,
  vcpuSig,
}: Pick<MeasureOptions, 'vcpuType' | 'vcpuSig'>): readonly NamedSignature[] {
  return [
    ...parseVcpuTypes(vcpuType),
    ...parseSignatures(vcpuSig).map((signature) => ({ name: null, signature })),
  ]
}

/** Names of QEMU's models. */
function parseVcpuTypes(texts: readonly string[]): readonly NamedSignature[] {
  return parts(texts).map((name) => {
    const signature = VCPU_TYPES.get(name)
    if (signature === undefined)
      throw usage(`--vcpu-type takes ${[...VCPU_TYPES.keys()].join(', ')}, not ${quote(name)}`)
    return { name, signature }
  })
}

function parseSignatures(texts: readonly string[]): readonly number[] {
  return parts(texts).map((text) => {
    const value = HEX.test(text) ? BigInt(text) : MAX_SIGNATURE + 1n
    if (value > MAX_SIGNATURE)
      throw usage(`--vcpu-sig takes 32 bits in hex such as 0x00a10f11, not ${quote(text)}`)
    return Number(value)
  })
}

export function parseFeatures(texts: readonly string[]): readonly bigint[] {
  return parts(texts).map((text) => {
    if (!HEX.test(text)) throw usage(`--guest-features takes 64 bits in hex such as 0x1, not ${quote(text)}`)
    return BigInt(text)
  })
}

export function parseFpuStates(texts: readonly string[]): readonly FpuState[] {
  return parts(texts).map((text) => {
    if (text !== 'reset' && text !== 'zero')
      throw usage(`--fpu-state takes ${Object.keys(FPU_STATES).join(' or ')}, not ${quote(text)}`)
    return text
  })
}

export function parseVmm(text: string): Vmm {
  const vmm = VMMS.find((name) => name === text)
  if (vmm === undefined) throw usage(`--vmm takes ${VMMS.join(', ')}, not ${quote(text)}`)
  return vmm
}

/** A launch digest in the form in which reports and this command print it. */
export function parseDigest(text: string, option: string): Buffer {
  if (!DIGEST.test(text)) throw usage(`${option} takes ${LAUNCH_DIGEST_BYTES * 2} digits of lower-case hex`)
  return Buffer.from(text, 'hex')
}

/**
 * The one value of an option, or its default. Throws `usage.invalid` for several values, or none without a
 * default.
 */
export function only<T>(values: readonly T[], option: string, standard?: NoInfer<T>): T {
  const [value = standard, ...others] = values
  if (value === undefined) throw usage(`${option} is missing`)
  if (others.length > 0) throw usage(`${option} takes one value; several are for --solve and --report`)
  return value
}

export function assertTogether({ kernel, initrd, append, ovmf, ovmfHash }: MeasureOptions): void {
  if (ovmf.length === 0) throw usage('--ovmf is missing')
  if (kernel.length === 0 && initrd.length + append.length > 0)
    throw usage('--initrd and --append are measured together with a kernel: --kernel is missing')
  if (ovmfHash !== undefined && ovmf.length > 1)
    throw usage('--ovmf-hash belongs to one file: give one --ovmf')
}

export function usage(what: string): CodedError {
  return new CodedError('usage.invalid', what)
}

function parts(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split(','))
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}
