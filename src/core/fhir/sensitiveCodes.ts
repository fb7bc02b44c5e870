/**
 * The codes that put a resource into a sensitive category. Most sensitive content carries no label, so its
 * code must decide. This is a small list of our own, by code system. It errs on the side of withholding and
 * is not complete: a hospital that knows more labels its resources.
 *
 * Categories are those of HL7 v3-ActCode (InformationSensitivityPolicy): ETH alcohol, SUD other substances,
 * HIV, STD, PSY mental health, SEX sexuality and reproduction, PREGNANT, SDV sexual or domestic violence, VIO
 * violence, GDIS genetic disease, TBOO socially stigmatised.
 *
 * Sources: ICD-10 (WHO 2019) and ICD-10-CM chapter and block titles; SNOMED CT, LOINC and RxNorm concepts as
 * they occur in Synthea's public modules, read by their fully specified names; the choice of areas follows 42
 * CFR Part 2 and the areas of SAMHSA's Consent2Share. Version 2026-11-1.
 */

/** Inclusive ranges of the first three characters of an ICD-10 or ICD-10-CM code. */
export const ICD10_RANGES: readonly (readonly [from: string, to: string, category: string])[] = [
  ['A50', 'A64', 'STD'],
  ['B20', 'B24', 'HIV'],
  ['F10', 'F10', 'ETH'],
  ['F11', 'F19', 'SUD'],
  ['F20', 'F99', 'PSY'],
  ['N96', 'N97', 'SEX'],
  ['O00', 'O08', 'SEX'],
  ['O09', 'O9A', 'PREGNANT'],
  ['R75', 'R75', 'HIV'],
  ['T40', 'T40', 'SUD'],
  ['T51', 'T51', 'ETH'],
  ['T74', 'T74', 'SDV'],
  ['T76', 'T76', 'SDV'],
  ['X60', 'X84', 'PSY'],
  ['Y07', 'Y07', 'SDV'],
  ['Z15', 'Z15', 'GDIS'],
  ['Z21', 'Z21', 'HIV'],
  ['Z30', 'Z32', 'SEX'],
  ['Z33', 'Z39', 'PREGNANT'],
  ['Z64', 'Z64', 'SEX'],
  ['Z69', 'Z69', 'SDV'],
]

/** Single codes, separated by blanks, in rows of one category. */
export const SNOMED_CODES: readonly (readonly [category: string, codes: string])[] = [
  // Alcoholism; alcohol abuse; alcohol dependence
  ['ETH', '7200002 15167005 66590003'],
  // Misuses drugs; substance abuse; drug dependence; drug abuse; dependent abuse; opioid abuse, dependence;
  // overdose
  ['SUD', '361055000 66214007 191816009 26416006 6525002 5602001 75544000 55680006'],
  // HIV infection; AIDS; HIV positive
  ['HIV', '86406008 62479008 165816005'],
  // Sexually transmitted disease; gonorrhoea; syphilis
  ['STD', '8098009 15628003 76272004'],
  // Mental disorder; depressive, major depressive (single, recurrent), mixed, generalised anxiety, anxiety
  // disorder; bipolar; schizophrenia; PTSD; suicide attempt, deliberate poisoning, suicidal thoughts
  ['PSY', '74732009 35489007 370143000 36923009 66344007 231504006 21897009 197480006'],
  ['PSY', '13746004 58214004 47505003 82313006 86849004 6471006'],
  // Miscarriage (and in first trimester); blighted ovum; tubal pregnancy; tubal ligation (history,
  // bilateral); vasectomy; subcutaneous and intrauterine contraceptive inserted, replaced
  ['SEX', '17369002 19169002 35999006 79586000 267020005 287664005 22523008 169553002 65200003 46706006'],
  // Normal pregnancy; pregnant
  ['PREGNANT', '72892002 77386006'],
  // Victim of intimate partner abuse; victim of child abuse
  ['SDV', '706893006 397940009'],
  // Reports of violence in the environment
  ['VIO', '424393004'],
  // Has a criminal record
  ['TBOO', '266948004'],
]

export const LOINC_CODES: readonly (readonly [category: string, codes: string])[] = [
  // AUDIT-C total score
  ['ETH', '75626-2'],
  // DAST-10 total score
  ['SUD', '82667-7'],
  // HIV 1 and 2 tests; HIV 1+2 Ab+HIV1 p24 Ag; HIV 1 RNA
  ['HIV', '75622-1 56888-1 25836-8'],
  // PHQ-9, PHQ-2 and GAD-7 total scores
  ['PSY', '44261-6 55758-7 70274-6'],
  // Sexual orientation
  ['SEX', '76690-7'],
  // Pregnancy status
  ['PREGNANT', '82810-3'],
  // HARK (humiliation, afraid, rape, kick) total score
  ['SDV', '76504-0'],
]

export const RXNORM_CODES: readonly (readonly [category: string, codes: string])[] = [
  // Buprenorphine; buprenorphine with naloxone, sublingual; methadone; naltrexone
  ['SUD', '1819 1010600 6813 7243'],
]

/** Labels (v3-ActCode) that are categories by themselves, anywhere in a resource. */
export const SENSITIVITY_LABELS =
  `ETH ETHUD OPIOIDUD SUD HIV STD PSY PSYTHPN MH BH SEX SDV VIO MST GDIS SCA SICKLE COGN
DVD EMOTDIS PREGNANT TBOO SPI`.split(/\s+/)

/**
 * v3-Confidentiality: the category that a permission must name to get such resources. U, L, M and N need
 * none.
 */
export const CONFIDENTIALITY_LABELS: Readonly<Record<string, string>> = { R: 'RESTRICTED', V: 'VRESTRICTED' }
