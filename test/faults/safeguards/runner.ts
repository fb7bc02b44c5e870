/** Switches off one safeguard after the other, each in a copy of the code, and expects a run to notice. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { RunReport } from '../run.ts'
import type { Safeguard } from './table.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** What a run needs of the repository. */
const COPIED = ['src', 'lab', 'test', 'infra', 'native', 'package.json', 'tsconfig.json', 'node24.cjs']
/** The same seed gives the same acts, but not the same interleaving of the processes. */
const TRIES = 3

export type SafeguardReport = {
  readonly safeguard: Safeguard
  readonly tries: number
  /** What the run noticed, as `invariant subject`; empty if the loss went unnoticed. */
  readonly noticed: readonly string[]
}

/** Throws RangeError if the text that switches the safeguard off is not in its file exactly once. */
export async function tryWithout(safeguard: Safeguard): Promise<SafeguardReport> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-sg-'))
  try {
    await copyCode(folder)
    await switchOff(folder, safeguard)
    for (let tries = 1; ; tries += 1) {
      const noticed = await violationsIn(folder, safeguard.seed)
      if (noticed.length > 0 || tries === TRIES) return { safeguard, tries, noticed }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function copyCode(folder: string): Promise<void> {
  for (const name of COPIED) await cp(join(ROOT, name), join(folder, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  // Deployments with a violation are kept, and go with the copy.
  await mkdir(join(folder, 't'))
}

async function switchOff(folder: string, { file, text, replacement }: Safeguard): Promise<void> {
  const path = join(folder, file)
  const code = await readFile(path, 'utf8')
  const parts = code.split(text)
  if (parts.length !== 2)
    throw new RangeError(`${file} has ${parts.length - 1} times, expected once: ${text}`)
  await writeFile(path, parts.join(replacement))
}

async function violationsIn(folder: string, seed: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, ['test/faults/main.ts', '--seed', String(seed), '--json'], {
    cwd: folder,
    env: { ...process.env, TMPDIR: join(folder, 't') },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  const line = output.trim().split('\n').at(-1) ?? ''
  if (line === '') throw new RangeError(`the run of seed ${seed} has told nothing`)
  const { violations }: RunReport = JSON.parse(line)
  // A run that fails by itself has noticed nothing.
  return violations
    .filter(({ invariant }) => invariant !== 'run.failed')
    .map(({ invariant, subject }) => `${invariant} ${subject}`)
}
