/** A project outside the repository that installs the packed library, under the machine's own Node. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Without the folders of npm, which put the repository's own Node first. */
const PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.split(/[/\\]/).includes('node_modules'))
  .join(delimiter)
const ENV = { PATH, HOME: process.env['HOME'] ?? tmpdir(), NPM_CONFIG_UPDATE_NOTIFIER: 'false' }

/** The machine's Node; the repository's own if there is no other. */
export const NODE: string =
  PATH.split(delimiter)
    .map((folder) => join(folder, 'node'))
    .find(existsSync) ?? process.execPath

export type Consumer = {
  readonly folder: string
  /** The names of the files in the tarball. */
  readonly packed: readonly string[]
  readonly write: (name: string, content: string | Uint8Array) => void
  /**
   * Runs a script of the folder under `NODE`, with JSON on stdin; returns its stdout. Throws for another exit
   * code than 0.
   */
  readonly run: (script: string, input?: unknown) => string
  /** Runs plain `tsc` over the folder: its exit code and what it prints. */
  readonly check: () => { readonly code: number; readonly output: string }
  readonly remove: () => void
}

/** Builds the package, packs it, and installs the tarball into an empty folder, offline. */
export function installLibrary(): Consumer {
  const base = mkdtempSync(join(tmpdir(), 'snp-report-consumer-'))
  const built = join(base, 'built')
  const folder = join(base, 'consumer')
  execFileSync(process.execPath, [join(ROOT, 'packages/snp-report/build.mjs'), built], { stdio: 'pipe' })
  execFileSync('npm', ['pack', '--silent', '--pack-destination', base], { cwd: built, env: ENV })
  const tarball = readdirSync(base).find((name) => name.endsWith('.tgz')) ?? ''
  const packed = execFileSync('tar', ['-tf', join(base, tarball)], { encoding: 'utf8' })
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}')
  const flags = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts', '--silent']
  execFileSync('npm', ['install', join('..', tarball), ...flags], { cwd: folder, env: ENV })
  return {
    folder,
    packed: packed.trimEnd().split('\n'),
    write: (name, content) => writeFileSync(join(folder, name), content),
    run: (script, input) =>
      execFileSync(NODE, [script], {
        cwd: folder,
        env: ENV,
        input: JSON.stringify(input ?? null),
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      }),
    check: () => {
      try {
        const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
        const output = execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
        return { code: 0, output }
      } catch (error) {
        const { status, stdout } = error as { readonly status: number; readonly stdout: string } // as execFileSync throws it
        return { code: status, output: stdout }
      }
    },
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}
