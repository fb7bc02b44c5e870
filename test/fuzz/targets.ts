/** All that is fuzzed. */
import type { Target } from './target.ts'
import { certificate } from './targets/certificate.ts'
import { certificateTable } from './targets/certificateTable.ts'
import { crl } from './targets/crl.ts'
import { der } from './targets/der.ts'
import { report } from './targets/report.ts'

export const TARGETS: readonly Target[] = [report, certificateTable, der, certificate, crl]
