/** The result of `open` for people. */
import type { OpenedResult } from '#adapters/sealed/openResult.ts'
import { formatBytes } from '#cli/terminal.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'

export function renderOpened(opened: OpenedResult): string {
  const { file, size, contentType, workload, boot, committedAt, revokedAt, simulation } = opened
  return [
    ...(simulation ? ['SIMULATED  made on a simulated machine: nothing was confidential there'] : []),
    ...(revokedAt === null
      ? []
      : [
          `REVOKED    the worker, at ${toRfc3339(toUnixSeconds(revokedAt))}: whoever has its key may have made this result`,
        ]),
    `opened     ${formatBytes(size)} of ${contentType} into ${file}`,
    `made by    ${workload} on worker ${boot}, ${toRfc3339(toUnixSeconds(committedAt))}`,
    '',
  ].join('\n')
}
