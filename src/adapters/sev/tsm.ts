/**
 * Reports through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report, Linux 6.7 and later): a folder for each
 * request, which the kernel fills with attributes. Text attributes are ASCII; `outblob` is the report itself, `auxblob` what
 * the host gave beside it.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import { REPORT_BYTES } from '#core/snp/layout.ts'
import type { Clock } from '#ports/clock.ts'
import { codeOfErrno, SevFault } from './fault.ts'
import type { Firmware, FirmwareReport } from './firmware.ts'
import { createTurns } from './turns.ts'

/** What SEV-SNP's driver calls itself; others (TDX, CCA) give reports of another kind. */
const PROVIDER = 'sev_guest'
/** The worker attests the most privileged level. */
const VMPL = '0'
/** To `privlevel` and `inblob`, each of which counts in `generation`. */
const WRITES = 2
const ATTEMPTS = 3

/** The four calls that configfs takes; they fail with an errno, as node:fs does. */
export type AttributeFiles = {
  readonly makeFolder: (path: string) => Promise<void>
  /** Into an attribute that is there; never makes a file. */
  readonly write: (path: string, bytes: Uint8Array) => Promise<void>
  readonly read: (path: string) => Promise<Buffer>
  readonly removeFolder: (path: string) => Promise<void>
}

const systemFiles: AttributeFiles = {
  makeFolder: async (path) => {
    await mkdir(path)
  },
  write: async (path, bytes) => {
    const file = await open(path, constants.O_WRONLY)
    try {
      await file.write(bytes)
    } finally {
      await file.close()
    }
  },
  read: (path) => readFile(path),
  removeFolder: (path) => rmdir(path),
}

/** Throws `sev.unavailable` where the kernel has no provider of SEV-SNP reports in `folder`, or this user may not ask it. */
export async function openTsm(options: {
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
  readonly files?: AttributeFiles
}): Promise<Firmware> {
  const { folder, clock, log, files = systemFiles } = options
  const turns = createTurns(clock)
  const place = { folder, files, log }
  await inEntry(place, (entry) => expectProvider(entry, files))
  return {
    kind: 'configfs-tsm',
    lost: turns.lost,
    getReport: async (reportData, signal) => {
      const request = () => inEntry(place, (entry) => requestReport(entry, files, reportData))
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const answer = await turns.take(request, signal)
        if (answer !== 'disturbed') return answer
      }
      throw new SevFault('sev.busy', `${folder}: someone else wrote to each of ${ATTEMPTS} requests`)
    },
  }
}

type Place = { readonly folder: string; readonly files: AttributeFiles; readonly log: Log }

/** An entry of one's own for each request: nobody else's writes are in it, and none of it stays. */
async function inEntry<T>({ folder, files, log }: Place, work: (entry: string) => Promise<T>): Promise<T> {
  const entry = join(folder, `confidential-worker-${randomBytes(8).toString('hex')}`)
  try {
    await files.makeFolder(entry)
  } catch (cause) {
    throw new CodedError(
      'sev.unavailable',
      `${folder} takes no request (${nameOf(cause)}); mount configfs, load the sev-guest driver of Linux 6.7 or later, and run as a user who may write there`,
      { cause },
    )
  }
  try {
    return await work(entry)
  } finally {
    await files
      .removeFolder(entry)
      .catch((error) => log.warn('a request to configfs-tsm was left behind', errorFields(error)))
  }
}

async function requestReport(
  entry: string,
  files: AttributeFiles,
  reportData: Buffer,
): Promise<FirmwareReport | 'disturbed'> {
  await expectProvider(entry, files)
  const start = await readGeneration(entry, files)
  await attempt(entry, 'privlevel', (path) => files.write(path, Buffer.from(VMPL, 'ascii')))
  await attempt(entry, 'inblob', (path) => files.write(path, reportData))
  const report = await attempt(entry, 'outblob', files.read)
  const table = await attempt(entry, 'auxblob', files.read)
  // The kernel makes a report at the first read after a write: only if nobody wrote since are both blobs of one request.
  if ((await readGeneration(entry, files)) !== start + WRITES) return 'disturbed'
  if (report.byteLength !== REPORT_BYTES)
    throw new SevFault('sev.failed', `outblob has ${report.byteLength} bytes, not ${REPORT_BYTES}`)
  return { report, table }
}

async function expectProvider(entry: string, files: AttributeFiles): Promise<void> {
  const provider = (await attempt(entry, 'provider', files.read)).toString('latin1').trimEnd()
  if (provider !== PROVIDER)
    throw new CodedError('sev.unavailable', `configfs-tsm gives reports of another provider than ${PROVIDER}`)
}

async function readGeneration(entry: string, files: AttributeFiles): Promise<number> {
  const text = (await attempt(entry, 'generation', files.read)).toString('latin1')
  if (!/^\d{1,10}\n$/.test(text)) throw new SevFault('sev.failed', 'generation is not a number')
  return Number(text)
}

/** EWOULDBLOCK is EAGAIN. The kernel gives no number of firmware or hypervisor here. */
async function attempt<T>(entry: string, attribute: string, call: (path: string) => Promise<T>): Promise<T> {
  try {
    return await call(join(entry, attribute))
  } catch (cause) {
    const errno = errnoOf(cause)
    throw new SevFault(
      codeOfErrno(errno),
      `${attribute} of configfs-tsm gave ${nameOf(cause)}`,
      { errno },
      { cause },
    )
  }
}

/** node:fs gives them negative; 0 where there is none. */
function errnoOf(error: unknown): number {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? -error.errno : 0
}

function nameOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no errno'
}
