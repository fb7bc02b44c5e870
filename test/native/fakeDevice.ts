/** Builds the fake device of fake_device.c and runs programs under it. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FLAGS = ['-std=c17', '-O2', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE']

export type Run = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }

export type FakeDevice = {
  /**
   * Runs `command` with a device that gives `answers` (fake_driver.h lists them). `hook`, a shell command,
   * signs the reports;
   * `table` is the host's certificate table, well-formed or not.
   */
  readonly run: (
    answers: string,
    command: readonly string[],
    host?: { readonly hook?: string; readonly table?: Uint8Array },
  ) => Promise<Run>
  readonly remove: () => void
}

/** Compiles sources of this folder into the program `name` in `folder`; throws if they do not compile. */
export function compileProgram(name: string, folder: string, sources = [`${name}.c`]): string {
  const program = join(folder, name)
  const paths = sources.map((source) => fileURLToPath(new URL(`./${source}`, import.meta.url)))
  const { status, stderr } = spawnSync('cc', [...FLAGS, ...paths, '-o', program], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} does not compile:\n${stderr}`)
  return program
}

/** A sentence on why this machine cannot build the addon; undefined if it can. */
export function lackOfAddon(): string | undefined {
  if (process.platform !== 'linux') return 'the attestation device needs Linux'
  if (spawnSync('cc', ['--version']).status !== 0) return 'there is no C compiler'
  const probe = spawnSync('cc', ['-E', '-x', 'c', '-'], { input: '#include <linux/sev-guest.h>\n' })
  return probe.status === 0 ? undefined : 'linux/sev-guest.h is missing'
}

/** The device, or a sentence on why this machine cannot have it. */
export function buildFakeDevice(): FakeDevice | string {
  const lack = lackOfAddon()
  if (lack !== undefined) return lack
  const folder = mkdtempSync(join(tmpdir(), 'fake-device-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const program = compileProgram('fake_device', folder, ['fake_device.c', 'fake_driver.c'])
  if (spawnSync(program, ['--answers', 'ok', '--', 'true']).status === 126) {
    remove()
    return 'the kernel does not allow seccomp notifications here'
  }
  return {
    run: async (answers, command, { hook, table } = {}) => {
      const host = hook === undefined ? [] : ['--hook', hook]
      if (table !== undefined) {
        const path = join(mkdtempSync(join(folder, 'table-')), 'table')
        writeFileSync(path, table)
        host.push('--table', path)
      }
      return await collect(program, ['--answers', answers, ...host, '--', ...command])
    },
    remove,
  }
}

function collect(program: string, commandLine: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    // A command that is itself a test reports to its own output, not to the runner of this test.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    const child = spawn(program, commandLine, { stdio: ['ignore', 'pipe', 'pipe'], env })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
