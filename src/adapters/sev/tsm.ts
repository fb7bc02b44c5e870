/**
 * Reports through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report, Linux 6.7 and later). Each
 * request is a folder, which the kernel fills with attributes. Text attributes are ASCII. `outblob` is the
 * report itself, `auxblob` the host's certificate table.
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

/** The name of SEV-SNP's driver. Other providers (TDX, CCA) give other reports. */
const PROVIDER = 'sev_guest'
/** The most privileged level. */
const VMPL = '0'
/** The writes of one request, to `privlevel` and `inblob`. Each increments `generation`. */
const WRITES = 2
const ATTEMPTS = 3

/** The four calls that configfs needs. They fail with an errno, like node:fs. */
export type AttributeFiles = {
  readonly makeFolder: (path: string) => Promise<void>
  /** Writes to an existing attribute; never creates a file. */
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

/**
 * Throws `sev.unavailable` if the kernel has no provider of SEV-SNP reports in `folder`, or refuses this
 * user.
 */
export async function openTsm(options: {
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
  readonly files?: AttributeFiles
}): Promise<Firmware> {
  const { folder, clock, log, files = systemFiles } = options
  const turns = createTurns(clock)
  const location = { folder, files, log }
  await inEntry(location, (entry) => expectProvider(entry, files))
  return {
    kind: 'configfs-tsm',
    lost: turns.lost,
    getReport: async (reportData, signal) => {
      const request = () => inEntry(location, (entry) => requestReport(entry, files, reportData))
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const answer = await turns.take(request, signal)
        if (answer !== 'disturbed') return answer
      }
      throw new SevFault('sev.busy', `${folder}: another program wrote to each of ${ATTEMPTS} requests`)
    },
  }
}

type Location = { readonly folder: string; readonly files: AttributeFiles; readonly log: Log }

/** Creates an entry for one request, so that it contains no earlier writes, and removes it afterwards. */
async function inEntry<T>({ folder, files, log }: Location, work: (entry: string) => Promise<T>): Promise<T> {
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
      .catch((error) => log.warn('a request to configfs-tsm cannot be removed', errorFields(error)))
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
  // The kernel makes a report at the first read after a write. Without other writes, both blobs are of one
  // request.
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

/** Translates an errno; EWOULDBLOCK is EAGAIN. The kernel gives no numbers of firmware or hypervisor here. */
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

/** node:fs negates errnos. 0 if the error has none. */
function errnoOf(error: unknown): number {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? -error.errno : 0
}

function nameOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no errno'
}
