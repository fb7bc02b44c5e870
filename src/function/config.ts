/**
 * The ingest function's configuration: the JSON file that `CW_CONFIG` names. Whoever controls it can keep jobs from
 * being made or have them made in vain: what a job leads to is decided by the provider, over what the provider signed.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { bucketName, namespaceName, ocid } from '#core/fields.ts'

const Place = z.strictObject({ namespace: namespaceName, bucket: bucketName })

export const FunctionConfig = z.strictObject({
  oci: OciConfig,
  /** The buckets whose objects become jobs; events of any other are refused. */
  allowed: z.array(Place).min(1).max(64),
  /** OCID of the jobs stream; its messages endpoint is `oci.endpoints.streaming`. */
  jobsStreamId: ocid,
  /** The consumer's bucket for one record of each decision. */
  records: Place,
  /** Allows plain http to this machine: the emulator. */
  simulation: z.boolean(),
  logLevel: z.enum(['info', 'warn', 'error']),
})
export type FunctionConfig = z.output<typeof FunctionConfig>
