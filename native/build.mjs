// Builds the native addon, as the package's own install script: on whatever Node runs npm (20 or later), without
// network, with nothing but a C compiler. Where it cannot be built it says once what is missing and how to get it, and
// succeeds: everything but the attestation device works without.
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

/** Node-API's headers: of the package node-api-headers, else those installed beside this Node. */
function headers() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir
  } catch {
    const beside = join(dirname(process.execPath), '..', 'include', 'node')
    return existsSync(join(beside, 'node_api.h')) ? beside : undefined
  }
}

/** What this machine lacks for a build, as a sentence with its remedy; undefined where nothing is missing. */
function lack(includes) {
  if (process.platform !== 'linux') return 'SEV-SNP guests run Linux, and this is another system'
  if (spawnSync(compiler, ['--version']).status !== 0)
    return `no C compiler answers to "${compiler}"; install one (Debian, Ubuntu: apt install gcc libc6-dev; Oracle Linux: dnf install gcc) and run "npm run install"`
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
    // biome-ignore format: one line an idea
    [...flags, ...hardening, '-D_GNU_SOURCE', '-DNAPI_VERSION=8', `-I${includes}`,
     ...sources.map((name) => join(folder, name)), '-o', fresh, '-ldl', '-pthread'],
    { stdio: 'inherit' },
  )
  // Renamed into place: a process that has the old one mapped keeps it.
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
    `native addon not built: ${compiler} failed as shown above. Only a worker on a confidential VM needs it.`,
  )
