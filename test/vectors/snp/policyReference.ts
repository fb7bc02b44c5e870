/** Reference values that the usual report of Genoa exactly meets: every field that can be constrained is. */
import type { Reference } from '#core/appraisal/reference.ts'
import { MEASUREMENT, NOW, tcbOf } from './world.ts'

export const REFERENCE: Reference = {
  id: 'worker-1',
  assurance: 'measured',
  notBefore: NOW,
  notAfter: NOW,
  measurements: [MEASUREMENT],
  crl: 'not-required',
  cspIds: [],
  processors: [{ product: 'Genoa', family: 0x19, model: 0x11, stepping: 1, floor: tcbOf('Genoa') }],
  firmware: { major: 1, minor: 55, build: 49 },
  firmwareProfile: 'committed',
  mitigations: { launch: '0'.repeat(16), current: '0'.repeat(16) },
  guestPolicy: {
    abi: { major: 0, minor: 0 },
    smt: 'required',
    migrateMa: 'forbidden',
    debug: 'forbidden',
    singleSocket: 'forbidden',
    cxl: 'forbidden',
    aes256Xts: 'forbidden',
    raplDisabled: 'forbidden',
    ciphertextHiding: 'forbidden',
    pageSwapDisabled: 'forbidden',
  },
  platformInfo: {
    smt: 'required',
    tsme: 'forbidden',
    ecc: 'required',
    raplDisabled: 'forbidden',
    ciphertextHiding: 'forbidden',
    aliasCheck: 'required',
    iommuWriteSafe: 'forbidden',
    tio: 'forbidden',
  },
  vmpl: 0,
  guestSvn: 0,
  familyIds: ['00'.repeat(16)],
  imageIds: ['00'.repeat(16)],
  idKeyDigests: 'any',
  authorKeyDigests: 'any',
  hostData: ['00'.repeat(32)],
  trust: 'any',
  chips: 'any',
}

export function referenceOf(change: Partial<Reference> = {}): Reference {
  return { ...REFERENCE, ...change }
}
