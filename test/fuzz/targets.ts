/** The targets of `npm run fuzz`. */
import type { Target } from './target.ts'
import { certificate } from './targets/certificate.ts'
import { certificateTable } from './targets/certificateTable.ts'
import { chain } from './targets/chain.ts'
import { config } from './targets/config.ts'
import { conformanceCase } from './targets/conformanceCase.ts'
import { crl } from './targets/crl.ts'
import { der } from './targets/der.ts'
import { floe } from './targets/floe.ts'
import { job } from './targets/job.ts'
import { report } from './targets/report.ts'
import { sealed } from './targets/sealed.ts'
import { verdict } from './targets/verdict.ts'

export const TARGETS: readonly Target[] = [
  report,
  certificateTable,
  der,
  certificate,
  crl,
  chain,
  verdict,
  conformanceCase,
  job,
  sealed,
  floe,
  config,
]
