/** The digest by which a permission names the table of sensitive codes. */
import { sha256, toBase64url } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import {
  CONFIDENTIALITY_LABELS,
  ICD10_RANGES,
  LOINC_CODES,
  RXNORM_CODES,
  SENSITIVITY_LABELS,
  SNOMED_CODES,
} from './sensitiveCodes.ts'

/** SHA-256 over the canonical JSON of the built-in table, base64url: the only table of this version. */
export const CODE_TABLE_DIGEST = toBase64url(
  sha256(
    canonicalBytes({
      v: 1,
      icd10: ICD10_RANGES,
      snomed: SNOMED_CODES,
      loinc: LOINC_CODES,
      rxnorm: RXNORM_CODES,
      labels: SENSITIVITY_LABELS,
      confidentiality: CONFIDENTIALITY_LABELS,
    }),
  ),
)
