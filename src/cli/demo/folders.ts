/** Where everything of one deployment lies. */
import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CodedError } from '#core/errors.ts'

const NAMES = ['keys', 'config', 'logs', 'metrics'] as const

export type Folders = Readonly<Record<(typeof NAMES)[number] | 'root' | 'emulator' | 'evidence', string>>

/** Throws `output.exists` where `folder` is there already: nothing is ever overwritten. */
export async function makeFolders(folder: string): Promise<Folders> {
  const root = resolve(folder)
  await mkdir(dirname(root), { recursive: true })
  try {
    await mkdir(root)
  } catch (cause) {
    throw new CodedError('output.exists', `${root} exists already or cannot be made`, { cause })
  }
  const below = (name: string) => join(root, name)
  for (const name of NAMES) await mkdir(below(name), { mode: 0o700 })
  return {
    root,
    keys: below('keys'),
    config: below('config'),
    logs: below('logs'),
    metrics: below('metrics'),
    // Made by those who fill them.
    emulator: below('emulator'),
    evidence: below('evidence'),
  }
}
