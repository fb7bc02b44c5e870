/**
 * The ingest function's configuration: one JSON file, which `CW_CONFIG` names. An attacker who controls it
 * can prevent jobs or cause useless ones. What a job may read is decided by the provider, from what the
 * provider signed.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { bucketName, namespaceName, ocid } from '#core/fields.ts'

export const FunctionConfig = z.strictObject({
  oci: OciConfig,
  allowed: z
    .array(z.strictObject({ namespace: namespaceName, bucket: bucketName }))
    .min(1)
    .max(64)
    .meta({
      description: 'The buckets whose objects become jobs, 1 to 64; events of any other bucket are refused.',
      example: [{ namespace: 'hospital', bucket: 'outbox' }],
    }),
  jobsStreamId: ocid.meta({
    description: 'The jobs stream; oci.endpoints.streaming is its messages endpoint.',
    example: 'ocid1.stream.oc1.eu-frankfurt-1.jobs',
  }),
  records: z
    .strictObject({
      namespace: namespaceName.meta({ description: "The consumer's namespace.", example: 'research' }),
      bucket: bucketName.meta({ description: 'Its bucket for records.', example: 'ingest' }),
    })
    .meta({ description: 'One record per decision.' }),
  simulation: z.boolean().meta({
    description: 'True allows plain http on loopback: for the emulator.',
    example: false,
  }),
  logLevel: z.enum(['info', 'warn', 'error']).meta({ description: 'info, warn or error.', example: 'info' }),
})
export type FunctionConfig = z.output<typeof FunctionConfig>
