/**
 * The packages of the peers, installed in a separate folder under the user's cache. They are not dependencies
 * of this repository, and their install scripts do not run.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

export const PEER_VERSIONS = {
  '@tinfoilsh/verifier': '1.1.0',
  '@lit-protocol/sev-snp-utils-sdk': '6.11.5',
} as const
export type PeerName = keyof typeof PEER_VERSIONS

/** pako is missing from the manifest of the second package. */
const BESIDE = { pako: '2.1.0' } as const
/** A dependency of the first package demands a version of this one that was never published. */
const OVERRIDES = { '@freedomofpress/tuf-browser': '0.1.8' } as const

const INSTALL_SECONDS = 120

const FOLDER = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'confidential-worker-bench',
  'snp-peers',
)

/** Prints the folder on stderr. Returns undefined, or why the packages are absent. */
export async function installPeers(): Promise<string | undefined> {
  if (await isInstalled()) return undefined
  console.error(`installing the peers into ${FOLDER}, without install scripts`)
  const manifest = { private: true, dependencies: { ...PEER_VERSIONS, ...BESIDE }, overrides: OVERRIDES }
  try {
    await mkdir(FOLDER, { recursive: true })
    await writeFile(join(FOLDER, 'package.json'), JSON.stringify(manifest))
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefix', FOLDER]
    await promisify(execFile)('npm', ['install', ...options], {
      cwd: FOLDER,
      timeout: INSTALL_SECONDS * 1000,
    })
  } catch (error) {
    return `not installed: ${reasonOf(error)}`
  }
  return (await isInstalled()) ? undefined : 'not installed: npm installed other versions than requested'
}

/** The first error line of npm, or the reason why it did not run. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const lines = text.split('\n').filter((line) => line.includes('error'))
  return (lines.at(0) ?? text.trim().slice(0, 200)) || `npm did not finish within ${INSTALL_SECONDS} s`
}

async function isInstalled(): Promise<boolean> {
  for (const [name, version] of Object.entries({ ...PEER_VERSIONS, ...BESIDE }))
    try {
      const manifest = await readFile(join(FOLDER, 'node_modules', name, 'package.json'), 'utf8')
      if (JSON.parse(manifest).version !== version) return false
    } catch {
      return false
    }
  return true
}

/** The peer's module; its shape is the peer's. */
export async function loadPeer(name: PeerName): Promise<unknown> {
  const { exports, main } = JSON.parse(
    await readFile(join(FOLDER, 'node_modules', name, 'package.json'), 'utf8'),
  )
  const module = await import(
    pathToFileURL(join(FOLDER, 'node_modules', name, exports?.['.'].import ?? main)).href
  )
  return module
}
