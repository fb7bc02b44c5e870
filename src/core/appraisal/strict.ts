/** A set of reference values for looking at reports by hand, where there is no policy. */
import type { Product } from '#core/snp/product.ts'
import type { Reference } from './reference.ts'

/**
 * Least TCB of `STRICT`, by CPUID: what real hosts were seen to report after the fixes of EntrySign (CVE-2024-56161) and BadRAM
 * (CVE-2024-21944), as of November 2026. A stepping that is not here is refused, and so is all of Milan:
 * its root key can be read out by software (arXiv 2605.12990, AMD-SB-3045), so that a Milan report proves nothing.
 */
const STRICT_PROCESSORS: Reference['processors'] = [
  floorOf('Genoa', [0x19, 0x11, 1], { fmc: 0, bootloader: 0, tee: 0, snp: 0x17, microcode: 0x54 }),
  floorOf('Genoa', [0x19, 0xa0, 2], { fmc: 0, bootloader: 0, tee: 0, snp: 0x17, microcode: 0x19 }),
  floorOf('Turin', [0x1a, 0x02, 1], { fmc: 0, bootloader: 0, tee: 0, snp: 0x04, microcode: 0x51 }),
]

/** Without a policy: genuine, current hardware in a safe setting. Measurement, report data, host data and chip are free. */
export const STRICT: Reference = {
  id: 'built-in',
  assurance: 'platform',
  notBefore: 0,
  notAfter: 253_402_300_799,
  measurements: 'any',
  crl: 'not-required',
  cspIds: [],
  processors: STRICT_PROCESSORS,
  firmware: { major: 1, minor: 55, build: 38 },
  firmwareProfile: 'committed',
  mitigations: { launch: '0000000000000000', current: '0000000000000000' },
  guestPolicy: {
    abi: { major: 0, minor: 0 },
    smt: 'any',
    migrateMa: 'forbidden',
    debug: 'forbidden',
    singleSocket: 'any',
    cxl: 'forbidden',
    aes256Xts: 'any',
    raplDisabled: 'any',
    ciphertextHiding: 'any',
    pageSwapDisabled: 'any',
  },
  platformInfo: {
    smt: 'any',
    tsme: 'any',
    ecc: 'required',
    raplDisabled: 'any',
    ciphertextHiding: 'any',
    aliasCheck: 'required',
    iommuWriteSafe: 'any',
    tio: 'forbidden',
  },
  vmpl: 0,
  guestSvn: 0,
  familyIds: 'any',
  imageIds: 'any',
  idKeyDigests: 'any',
  authorKeyDigests: 'any',
  hostData: 'any',
  trust: 'any',
  chips: 'any',
}

function floorOf(
  product: Product,
  [family, model, stepping]: readonly [number, number, number],
  floor: Reference['processors'][number]['floor'],
): Reference['processors'][number] {
  return { product, family, model, stepping, floor }
}
