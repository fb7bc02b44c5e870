/** The built-in reference values for a report by itself, without a policy. */
import type { Product } from '../snp/product.ts'
import { LAST_SECOND } from '../time.ts'
import type { Reference } from './reference.ts'

/**
 * The least TCB by CPUID, as of November 2026. Each number was seen, or exceeded, in a genuine report of an
 * updated host. `0` means that no known advisory gives a number (FMC, boot loader, TEE). A stepping that is
 * not listed is refused.
 *
 * These floors are known and not applied. Each is one third party's reading of a bulletin, and genuine hosts
 * in service do not meet it: AMD-SB-3020 (RMPocalypse, CVE-2025-0033) SNP 0x1b on Genoa; AMD-SB-3027
 * (StackWarp, CVE-2025-29943) microcode 0x56 on 19/11/01 and 0x51 on 19/11/02, for which switching SMT off is
 * the full answer; firmware 1.55.49 and mitigation bits 0 to 2 on Genoa. A policy that requires them is the
 * better choice if its hosts have them.
 *
 * Milan is absent, whatever its TCB. Software can read the seed of a chip's key (arXiv 2605.12990,
 * AMD-SB-3045, May 2026) and then make any report of that chip. A Milan report proves nothing unless its chip
 * is on a list of machines whose history is trusted, and this set has no such list.
 */
const PROCESSORS: Reference['processors'] = [
  // Genoa B1. AMD-SB-3019 (EntrySign, 2024-12-17) by a third party, seen on three hosts of 2025 and 2026;
  // AMD-SB-3015 (BadRAM) is below it, SNP 0x16.
  floorOf('Genoa', [0x19, 0x11, 1], { snp: 0x17, microcode: 0x54 }),
  // Bergamo and Siena A2. The same SNP firmware; microcode of updated hosts of 2025 and 2026.
  floorOf('Genoa', [0x19, 0xa0, 2], { snp: 0x17, microcode: 0x19 }),
  // Turin C1. AMD-SB-3020 (SNP) and AMD-SB-3027 (microcode), 2025, by a third party; seen on a host of 2026,
  // exceeded on another.
  floorOf('Turin', [0x1a, 0x02, 1], { snp: 0x04, microcode: 0x51 }),
]

/**
 * Genuine, current hardware in a safe configuration. Fields that only the owner of a guest knows are not
 * checked: measurement, worker configuration, ID block (family, image, keys, SVN), host data, chip.
 */
export const STRICT: Reference = {
  id: 'built-in',
  assurance: 'platform',
  notBefore: 0,
  notAfter: LAST_SECOND,
  measurements: 'any',
  // A list counts if one is given; without one the output says that revocation was not checked.
  crl: 'not-required',
  cspIds: [],
  processors: PROCESSORS,
  // Each product counts its own builds, so several products can share only an ABI version. 1.55 is the least
  // seen on an updated host.
  firmware: { major: 1, minor: 55, build: 0 },
  firmwareProfile: 'committed',
  // Reports before version 5 state none, and no known bulletin names its bit.
  mitigations: { launch: '0000000000000000', current: '0000000000000000' },
  guestPolicy: {
    // Guests in service require 0.0 or 0.31. The TCB floors check what runs; this checks only what the guest
    // would refuse.
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
    // BadRAM, CVE-2024-21944.
    aliasCheck: 'required',
    // Only Turin has it (CVE-2023-20585), and no floor says since which firmware.
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
  { snp, microcode }: { readonly snp: number; readonly microcode: number },
): Reference['processors'][number] {
  return { product, family, model, stepping, floor: { fmc: 0, bootloader: 0, tee: 0, snp, microcode } }
}
