/**
 * Every rule of a set of reference values. The rules are independent, so a refusal names everything that is
 * wrong.
 */
import { revocationList, signingKey } from './endorsementRules.ts'
import { commitment, firmwareFloor, firmwareOrder, mitigations, tcbOrder } from './firmwareRules.ts'
import { guestAbi, guestPolicy, guestSvn, migrationAgent, vmpl } from './guestRules.ts'
import { authorKey, chip, familyId, hostData, idKey, imageId } from './identityRules.ts'
import { platformInfo, platformUnknown } from './platformRules.ts'
import { processor, tcbFloors } from './processorRules.ts'
import type { Rule } from './reference.ts'
import { measurement, trust, window, withdrawal } from './softwareRules.ts'

export const RULES: readonly Rule[] = [
  // The software and its approval
  measurement,
  window,
  withdrawal,
  trust,
  // The signing key and its revocation
  signingKey,
  revocationList,
  // The processor and its firmware
  processor,
  tcbFloors,
  tcbOrder,
  firmwareOrder,
  commitment,
  firmwareFloor,
  mitigations,
  // The guest
  guestPolicy,
  guestAbi,
  migrationAgent,
  guestSvn,
  vmpl,
  // The host
  platformInfo,
  platformUnknown,
  // The identity of guest and machine
  idKey,
  authorKey,
  familyId,
  imageId,
  hostData,
  chip,
]
