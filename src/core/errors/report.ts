/** The codes of the report library: `core/snp` and `core/appraisal` throw and return these and no others. */
import { Coded, type CodedClass, type ErrorRow, type RefusalOf, rowsOf } from './coded.ts'

const general = rowsOf(null)
const evidence = rowsOf('evidence')
const appraisal = rowsOf('appraisal')

export const ENCODING_ERRORS = {
  'encoding.invalid': general.malformed(
    'a text or byte string is not in the one form that its format allows',
    'correct the document; the program that wrote it does not follow the format',
  ),
  'case.malformed': general.malformed(
    'a conformance case does not follow its format',
    'write the case as docs/conformance.md specifies; the message names the fields',
  ),
} as const satisfies Record<string, ErrorRow>

export const EVIDENCE_ERRORS = {
  'report.malformed': evidence.malformed(
    'the bytes are not an attestation report of version 2 to 5',
    'give only the 1184 bytes of the report, without the 32 bytes that the kernel puts before them',
  ),
  'report.invalid': evidence.refused(
    'a field of the report has a value that the SEV-SNP ABI does not allow',
    'compare the report with AMD publication 56860; its firmware is newer than this program, or it is forged',
  ),
  'report.signature': evidence.refused(
    'the report is not signed by the endorsed key',
    'do not trust the report; request a fresh one over another path',
  ),
  'certificate-table.malformed': evidence.malformed(
    "the host's certificate table does not follow the GHCB specification",
    'ask the operator of the host; a worker warns and uses its own certificates',
  ),
  'chain.missing': evidence.refused(
    'the evidence holds no certificate of the key that signed the report',
    "give the chip's VCEK certificate from AMD's key distribution service, or the cloud provider's VLEK certificate",
  ),
  'chain.malformed': evidence.malformed(
    'an endorsement certificate is not in the DER form that AMD issues',
    "fetch the certificate again from AMD's key distribution service",
  ),
  'chain.untrusted': evidence.refused(
    'the endorsement key does not chain to a trusted AMD root',
    'give the certificate that AMD issued, with the ASK or ASVK of its product; a worker of a demo has roots of its own',
  ),
  'chain.expired': evidence.refused(
    'a certificate of the chain is outside its validity period',
    "fetch the certificates again, and check the verifier's clock",
  ),
  'chain.revoked': evidence.refused(
    "the chain's ASK or ASVK is on a revocation list of its root",
    'fetch the endorsement certificate again, under the current ASK or ASVK; if it stays the same, do not use the chip',
  ),
  'chain.kind-mismatch': evidence.refused(
    'a VCEK signed the report and the certificate is for a VLEK, or the reverse',
    'give the VCEK certificate for a report signed by a VCEK, the VLEK certificate for one signed by a VLEK',
  ),
  'chain.tcb-mismatch': evidence.refused(
    "the endorsement key's TCB differs from the reported TCB",
    'fetch the certificate for the reported TCB; the firmware was updated',
  ),
  'chain.chip-mismatch': evidence.refused(
    "the endorsement key's hardware id differs from the report's chip id",
    "fetch the certificate for the report's chip id; this one is for another machine",
  ),
  'chain.product-mismatch': evidence.refused(
    "the report's CPUID names another product than its certificate",
    'fetch the certificate of the product that the report names; if they still differ, do not trust the report',
  ),
  'crl.malformed': evidence.malformed(
    'a certificate revocation list is not in the DER form that AMD issues',
    "fetch the list again from AMD's key distribution service",
  ),
  'crl.untrusted': evidence.refused(
    'a certificate revocation list is not signed by a trusted AMD root',
    "fetch the list again from AMD's key distribution service, over another path",
  ),
} as const satisfies Record<string, ErrorRow>

export const LAUNCH_ERRORS = {
  'firmware.malformed': general.malformed(
    'the firmware is not an OVMF build whose launch can be measured',
    'give the OVMF file that the guest starts with, built with SEV-SNP metadata; the message names the field',
  ),
  'launch.impossible': general.malformed(
    'no SEV-SNP guest can be launched from these inputs',
    'give inputs that belong together; a measured kernel needs an OVMF built to check it (OvmfPkg/AmdSev)',
  ),
  'launch.unsettled': general.malformed(
    'the launch digest under this hypervisor is not known for certain, so it is not computed',
    'take the measurement from a report of a guest that you know, and approve that',
  ),
} as const satisfies Record<string, ErrorRow>

export const APPRAISAL_ERRORS = {
  'measurement.unknown': appraisal.refused(
    'no reference values list this launch measurement',
    'launch an approved image, or approve this measurement in a new policy',
  ),
  'reference.expired': appraisal.refused(
    'the matching reference values have expired or are not yet valid',
    'run an image whose reference values are in force, or extend these in a new policy',
  ),
  'reference.revoked': appraisal.refused(
    'the matching reference values are revoked',
    'run an image whose reference values are not revoked; two signers can restore these',
  ),
  'product.excluded': appraisal.refused(
    'the processor product or stepping is not approved',
    'use an approved processor whose firmware reports its stepping (report version 3 or later)',
  ),
  'root.untrusted': appraisal.refused(
    'the chain ends at a root that the policy does not trust',
    'use hardware under an approved root, or name this root in a new policy',
  ),
  'signing-key.excluded': appraisal.refused(
    'the reference values do not accept the kind of key that signed the report',
    "use a host that signs with its chip's key (VCEK), or approve this provider in a new policy",
  ),
  'crl.missing': appraisal.refused(
    'the reference values require a revocation list, and none was checked',
    "give the verifier AMD's revocation list of this product, from AMD's key distribution service",
  ),
  'crl.stale': appraisal.refused(
    'the revocation list is older than the reference values allow, or not yet valid',
    "fetch the list again (AMD issues one about every six weeks), and check the verifier's clock",
  ),
  'tcb.inconsistent': appraisal.refused(
    'the TCB versions contradict each other',
    'investigate the host, or use another; genuine firmware does not report this',
  ),
  'tcb.below-floor': appraisal.refused(
    'a TCB component is below its floor',
    "update the host's firmware; the refusal names the component",
  ),
  'tcb.provisional': appraisal.refused(
    'the host runs firmware that it has not committed',
    'have the host commit its firmware, or approve the provisional profile in a new policy',
  ),
  'firmware.below-floor': appraisal.refused(
    'the firmware version is below its floor',
    "update the host's SEV firmware, and commit it",
  ),
  'mitigations.missing': appraisal.refused(
    'the report does not state a mitigation that the reference values require',
    "update the host's firmware and launch the guest again; reports state mitigations from version 5 on",
  ),
  'guest-policy.debug': appraisal.refused(
    'the guest was launched with debugging allowed',
    'launch the guest without debugging; a guest that can be debugged has no secrets',
  ),
  'guest-policy.migration': appraisal.refused(
    'the guest was launched with a migration agent allowed',
    'launch the guest without a migration agent',
  ),
  'guest-policy.violated': appraisal.refused(
    'a guest policy bit differs from what the reference values require',
    'launch the guest with the POLICY that the refusal names',
  ),
  'guest-svn.below-floor': appraisal.refused(
    'the guest security version is below its floor',
    'launch a newer image, whose ID block carries a higher GUEST_SVN',
  ),
  'platform-info.violated': appraisal.refused(
    'a platform information bit differs from what the reference values require',
    'configure the host as the refusal says (SMT, ciphertext hiding, alias check and the like)',
  ),
  'vmpl.violated': appraisal.refused(
    'the report was not requested at the required VMPL',
    'request the report at the required VMPL, which is 0 without a paravisor',
  ),
  'id-key.unknown': appraisal.refused(
    'no approved key signed the ID block',
    'launch the guest with an ID block that an approved ID key has signed',
  ),
  'author-key.unknown': appraisal.refused(
    'no approved key signed the ID key',
    'launch the guest with an ID block whose ID key an approved author key has signed',
  ),
  'family-id.unknown': appraisal.refused(
    'the reference values do not list the family id',
    'launch an image of an approved family, or approve this one in a new policy',
  ),
  'image-id.unknown': appraisal.refused(
    'the reference values do not list the image id',
    'launch an approved image, or approve this one in a new policy',
  ),
  'host-data.unknown': appraisal.refused(
    'the reference values do not list the host data',
    'have the host launch the guest with approved HOST_DATA',
  ),
  'chip.unknown': appraisal.refused(
    'the reference values do not list the chip id',
    'run on an approved machine, or approve this chip in a new policy',
  ),
  'trust.unknown': appraisal.refused(
    "the reference values do not list the worker's trust digest",
    'give the worker an approved configuration and approved workloads, or approve the digest that "worker --trust" prints',
  ),
} as const satisfies Record<string, ErrorRow>

/** The whole table of the library. */
export const REPORT_ERRORS = {
  ...ENCODING_ERRORS,
  ...EVIDENCE_ERRORS,
  ...LAUNCH_ERRORS,
  ...APPRAISAL_ERRORS,
} as const satisfies Record<string, ErrorRow>

/** A stable name of one way to fail or to be refused. */
export type ReportErrorCode = keyof typeof REPORT_ERRORS

/** A fault: its `code` is stable, its message is not. */
export const CodedError: CodedClass<ReportErrorCode> = Coded
export type CodedError = Coded<ReportErrorCode>

/** One reason against a report. */
export type Refusal = RefusalOf<ReportErrorCode>
