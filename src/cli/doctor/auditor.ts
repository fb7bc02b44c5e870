/** The doctor of an auditor. */
import type { Check } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import type { Role } from '#adapters/doctor/doctor.ts'
import { type Act, bucketChecks } from '#adapters/doctor/permissions.ts'
import { ExportConfig } from '#cli/config.ts'
import { openRole, type RoleContext } from './context.ts'

type Context = RoleContext<ExportConfig>

const GROUP = 'group auditors'
const BOTH = 'provider.policy and consumer.policy'
const READS: readonly Act[] = [{ verb: 'list' }, { verb: 'read' }]
const CHANGES: readonly Act[] = [{ verb: 'create' }, { verb: 'overwrite' }, { verb: 'delete' }]

const BUCKETS = [
  ['governance', ({ config: { provider } }: Context) => at(provider.namespace, provider.governance)],
  ['evidence', ({ config: { provider } }: Context) => at(provider.namespace, provider.evidence)],
  ['worker-evidence', ({ config: { provider } }: Context) => at(provider.namespace, provider.workerEvidence)],
  ['results', ({ config: { consumer } }: Context) => at(consumer.namespace, consumer.results)],
] as const

function at(namespace: string, bucket: string) {
  return { namespace, bucket }
}

const CHECKS: readonly Check<Context>[] = [
  clockCheck('oci', ({ oci, config: { provider } }) =>
    oci.probes().mayRead({ ...at(provider.namespace, provider.governance), name: 'policy/doctor' }),
  ),
  ...BUCKETS.flatMap(([id, place]) =>
    bucketChecks<Context>(GROUP, { id, place, policy: BOTH, may: READS, mustNot: CHANGES }),
  ),
]

export const AUDITOR: Role<ExportConfig, Context> = {
  name: 'auditor',
  about:
    'Tries what an auditor needs, and what an auditor must be refused, with the configuration of `evidence export`.',
  schema: ExportConfig,
  options: [],
  checks: CHECKS,
  leaves: [
    'what the evidence says: `evidence export` copies it and `evidence verify` audits it',
    "what is in force: this configuration has no pin; the Verifier's doctor says it",
  ],
  open: openRole,
}
