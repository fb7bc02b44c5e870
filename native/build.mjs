// Builds the native addon; the package's install script. It runs on the Node that runs npm (20 or later) and needs only a C
// compiler, no network. If it cannot build, it prints what is missing and how to get it, and exits 0: without the
// addon, everything but the attestation device works.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))
const built = join(folder, 'build', 'sev_guest.node')
const compiler = 'cc'
const flags = ['-std=c17', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-fvisibility=hidden']
const hardening = ['-fstack-protector-strong', '-Wl,-z,relro,-z,now,-z,noexecstack']

/** The folder of Node-API's headers: from the package node-api-headers, else beside this Node. */
function headers() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir
  } catch {
    const beside = join(dirname(process.execPath), '..', 'include', 'node')
    return existsSync(join(beside, 'node_api.h')) ? beside : undefined
  }
}

/** A sentence on what this machine lacks for a build, with its remedy; undefined if it lacks nothing. */
function lack(includes) {
  if (process.platform !== 'linux') return `SEV-SNP guests run Linux, and this is ${process.platform}`
  if (spawnSync(compiler, ['--version']).status !== 0)
    return `the C compiler "${compiler}" is missing; install one (Debian, Ubuntu: apt install gcc libc6-dev; Oracle Linux: dnf install gcc) and run "npm run install"`
  const probe = spawnSync(compiler, ['-E', '-x', 'c', '-'], { input: '#include <linux/sev-guest.h>\n' })
  if (probe.status !== 0)
    return 'linux/sev-guest.h is missing; install the kernel headers of Linux 5.19 or later (Debian, Ubuntu: apt install linux-libc-dev; Oracle Linux: dnf install kernel-headers) and run "npm run install"'
  if (includes === undefined)
    return 'node_api.h is missing; install the package node-api-headers (npm ci without --omit=dev) and run "npm run install"'
  return undefined
}

function build(includes) {
  mkdirSync(dirname(built), { recursive: true })
  const sources = readdirSync(folder).filter((name) => name.endsWith('.c'))
  const fresh = `${built}.${process.pid}`
  const { status } = spawnSync(
    compiler,
    // biome-ignore format: one line per idea
    [...flags, ...hardening, '-D_GNU_SOURCE', '-DNAPI_VERSION=8', `-I${includes}`,
     ...sources.map((name) => join(folder, name)), '-o', fresh, '-ldl', '-pthread'],
    { stdio: 'inherit' },
  )
  // A rename: a process that has the old file mapped keeps it.
  if (status === 0) renameSync(fresh, built)
  return status === 0
}

const includes = headers()
const missing = lack(includes)
if (missing !== undefined)
  console.log(`native addon not built: ${missing}. Only a worker on a confidential VM needs it.`)
else if (build(includes)) console.log('native addon built: native/build/sev_guest.node')
else
  console.log(
    `native addon not built: ${compiler} failed, see above. Only a worker on a confidential VM needs it.`,
  )
