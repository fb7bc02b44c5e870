/** `report take`: a report of the machine that it runs on, for `approve`. It answers no challenge. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createReportSource, ReportSourceConfig } from '#adapters/sev/source.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { createFile } from '#adapters/system/files.ts'
import { createLog } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'

const REPORT_DATA_BYTES = 64

/** Of a worker's configuration; the worker itself checks the rest. */
const OfWorker = z.object({
  attestation: ReportSourceConfig,
  trust: z.object({ simulation: z.boolean() }),
})

export type Taken = { readonly report: string; readonly certificates: readonly string[] }

/**
 * Writes `report.bin` and the certificates that came with it into a new folder. Throws `output.exists` and the
 * codes of the source.
 */
export async function takeReport(options: { readonly config: string; readonly out: string }): Promise<Taken> {
  const { attestation, trust } = await readConfig(options.config, OfWorker, 'report take')
  const source = await createReportSource(attestation, {
    simulation: trust.simulation,
    clock: systemClock,
    log: createLog('report', 'error'),
  })
  const { report, certs } = await source.getReport(Buffer.alloc(REPORT_DATA_BYTES))
  await mkdir(options.out).catch((cause: unknown) => {
    throw new CodedError('output.exists', `${options.out} exists already or cannot be created`, { cause })
  })
  const write = async (name: string, content: Buffer): Promise<string> => {
    const path = join(options.out, name)
    await createFile(path, [content], { mode: 0o644 })
    return path
  }
  // The source gives the leaf first.
  const named = certs.map((der, index) => write(index === 0 ? 'leaf.der' : `issuer-${index}.der`, der))
  return { report: await write('report.bin', report), certificates: await Promise.all(named) }
}
