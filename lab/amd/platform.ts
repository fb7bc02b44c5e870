/** A processor and a guest on it: everything that the signer writes into a report. */
import { z } from 'zod'
import { hexBytes } from '#core/fields.ts'
import { HARDWARE_ID_BYTES } from '#core/snp/extensions.ts'
import { SIGNING_KEYS } from '#core/snp/layout.ts'
import { type Cpuid, PRODUCTS, type Product } from '#core/snp/product.ts'
import type { Tcb } from '#core/snp/tcb.ts'

const byte = z.int().min(0).max(255)
const TcbSchema = z.strictObject({ fmc: byte, bootloader: byte, tee: byte, snp: byte, microcode: byte })

/** The values of up-to-date hosts (Genoa B1, Turin C1; Milan as of 2026). */
const USUAL: Readonly<Record<Product, { readonly cpuid: Cpuid; readonly tcb: Tcb }>> = {
  Milan: {
    cpuid: { family: 0x19, model: 0x01, stepping: 1 },
    tcb: { fmc: 0, bootloader: 4, tee: 0, snp: 27, microcode: 222 },
  },
  Genoa: {
    cpuid: { family: 0x19, model: 0x11, stepping: 1 },
    tcb: { fmc: 0, bootloader: 10, tee: 0, snp: 27, microcode: 86 },
  },
  Turin: {
    cpuid: { family: 0x1a, model: 0x02, stepping: 1 },
    tcb: { fmc: 1, bootloader: 3, tee: 2, snp: 5, microcode: 97 },
  },
}

const bit = (usual: boolean) => z.boolean().default(usual)
const zeros = (bytes: number) => hexBytes(bytes).default('00'.repeat(bytes))
const FirmwareSchema = z.strictObject({ major: byte, minor: byte, build: byte })
const FIRMWARE = { major: 1, minor: 55, build: 49 } as const
/** A provider's name as in a VLEK certificate. */
const CspId = z.string().regex(/^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 printable characters')

/** Guest policy and host settings default to those of an ordinary, up-to-date host. */
export const PlatformSchema = z
  .strictObject({
    product: z.enum(PRODUCTS).default('Genoa'),
    version: z.literal([2, 3, 4, 5]).default(3),
    cpuid: z.strictObject({ family: byte, model: byte, stepping: byte }).optional(),
    /** The chip: 64 bytes, 8 on Turin. Defaults to the host's own. */
    hardwareId: z.union([hexBytes(64), hexBytes(8)]).optional(),
    /** The reported TCB. The other TCBs default to it. */
    tcb: TcbSchema.optional(),
    committedTcb: TcbSchema.optional(),
    currentTcb: TcbSchema.optional(),
    launchTcb: TcbSchema.optional(),
    measurement: hexBytes(48),
    hostData: zeros(32),
    familyId: zeros(16),
    imageId: zeros(16),
    /** Digests of the keys that signed the guest's ID block; zeros if it was launched without one. */
    idKeyDigest: zeros(48),
    authorKeyDigest: zeros(48),
    authorKeyEnabled: bit(false),
    /** All ones if there is no migration agent. */
    reportIdMa: hexBytes(32).default('ff'.repeat(32)),
    guestSvn: z.int().min(0).max(0xffff_ffff).default(0),
    /**
     * The guest's own privilege level. It can request reports for this level and for less privileged ones.
     */
    vmpl: z.int().min(0).max(3).default(0),
    /** The signing key: the chip's, or one that AMD gave to a cloud provider. */
    signingKey: z.enum(SIGNING_KEYS).default('vcek'),
    cspId: CspId.default('CN=cc-region-1.cloud.example'),
    /** MASK_CHIP_ID: the report names no chip. A report signed with a VLEK never does. */
    chipIdMasked: bit(false),
    /** MASK_CHIP_KEY: the firmware signs only with a VLEK. */
    chipKeyMasked: bit(false),
    firmware: FirmwareSchema.default(FIRMWARE),
    /** Defaults to `firmware`. */
    committedFirmware: FirmwareSchema.optional(),
    /** Bit sets, most significant byte first. Only in reports of version 5. */
    mitigations: z
      .strictObject({ launch: hexBytes(8), current: hexBytes(8) })
      .default({ launch: '0000000000000007', current: '0000000000000007' }),
    guestPolicy: z
      .strictObject({
        abi: z.strictObject({ major: byte, minor: byte }).default({ major: 0, minor: 0 }),
        smt: bit(true),
        migrateMa: bit(false),
        debug: bit(false),
        singleSocket: bit(false),
        cxl: bit(false),
        aes256Xts: bit(false),
        raplDisabled: bit(false),
        ciphertextHiding: bit(false),
        pageSwapDisabled: bit(false),
      })
      .prefault({}),
    platformInfo: z
      .strictObject({
        smt: bit(true),
        tsme: bit(false),
        ecc: bit(true),
        raplDisabled: bit(false),
        ciphertextHiding: bit(false),
        aliasCheck: bit(true),
        iommuWriteSafe: bit(false),
        tio: bit(false),
      })
      .prefault({}),
  })
  .transform(({ tcb, cpuid, committedTcb, currentTcb, launchTcb, firmware, committedFirmware, ...rest }) => {
    const usual = USUAL[rest.product]
    const reported = tcb ?? usual.tcb
    const current = currentTcb ?? reported
    return {
      ...rest,
      cpuid: cpuid ?? usual.cpuid,
      firmware: { current: firmware, committed: committedFirmware ?? firmware },
      tcb: { reported, committed: committedTcb ?? reported, current, launch: launchTcb ?? current },
    }
  })
  .refine(
    ({ product, hardwareId }) =>
      hardwareId === undefined || hardwareId.length === 2 * HARDWARE_ID_BYTES[product],
    'hardwareId must be 64 bytes, 8 on Turin',
  )

/** A platform as written in a configuration. */
export type PlatformInput = z.input<typeof PlatformSchema>
/** A platform with every default filled in, the chip included. */
export type Platform = Omit<z.output<typeof PlatformSchema>, 'hardwareId'> & { readonly hardwareId: string }
