/** The folders of one deployment. */
import { mkdir, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CodedError } from '#core/errors.ts'

const MEBIBYTE = 1024 * 1024
const SPARE_BYTES = 64 * MEBIBYTE
const NAMES = ['keys', 'config', 'logs', 'metrics', 'run', 'registers'] as const

export type Folders = Readonly<Record<(typeof NAMES)[number] | 'root' | 'emulator' | 'evidence', string>>

/** Throws `output.exists` if `folder` exists: nothing is ever overwritten. */
export async function makeFolders(folder: string): Promise<Folders> {
  const root = resolve(folder)
  await mkdir(dirname(root), { recursive: true })
  try {
    // It will contain private keys.
    await mkdir(root, { mode: 0o700 })
  } catch (cause) {
    throw new CodedError('output.exists', `${root} exists already or cannot be created`, { cause })
  }
  const below = (name: string) => join(root, name)
  for (const name of NAMES) await mkdir(below(name), { mode: 0o700 })
  return {
    root,
    keys: below('keys'),
    config: below('config'),
    logs: below('logs'),
    metrics: below('metrics'),
    run: below('run'),
    registers: below('registers'),
    // Created by the emulator and by the export.
    emulator: below('emulator'),
    evidence: below('evidence'),
  }
}

/**
 * Checks for room: the sealed file, its copy in the emulator's bucket, logs and state. Throws
 * `output.unwritable`.
 */
export async function expectRoom({ root }: Folders, inputBytes: number): Promise<void> {
  const needed = 2 * inputBytes + SPARE_BYTES
  const { bavail, bsize } = await statfs(root)
  if (bavail * bsize < needed)
    throw new CodedError(
      'output.unwritable',
      `${root} has ${Math.floor((bavail * bsize) / MEBIBYTE)} MiB free, the demo needs ${Math.ceil(needed / MEBIBYTE)} MiB`,
    )
}
