/** `npm run package [-- FOLDER]`: builds the package into a folder that `npm pack` and `npm publish` take, `dist` by default. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')
const target = resolve(process.argv[2] ?? join(here, 'dist'))
const emitted = mkdtempSync(join(tmpdir(), 'snp-report-'))

try {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', here, '--outDir', emitted], { stdio: 'inherit' })
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  cpSync(join(emitted, 'src/core'), join(target, 'core'), { recursive: true })
  // The files of the package are now beside `core`, not two folders below the repository.
  const door = join(emitted, 'packages/snp-report')
  for (const name of readdirSync(door))
    rewrite(join(door, name), join(target, name), (text) => text.replaceAll("'../../src/core/", "'./core/"))
  // tsc rewrites the extension of an import in JavaScript, not in a declaration.
  for (const path of declarations())
    rewrite(path, path, (text) => text.replace(/((?:from |import\()["']\.[^"']+)\.ts(?=["'])/g, '$1.js'))
  pruneDeclarations()
  for (const name of ['package.json', 'README.md']) cpSync(join(here, name), join(target, name))
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'))
} finally {
  rmSync(emitted, { recursive: true, force: true })
}

function rewrite(from, to, change) {
  writeFileSync(to, change(readFileSync(from, 'utf8')))
}

function declarations() {
  const names = readdirSync(target, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.d.ts')).map((name) => join(target, name))
}

/** Keeps the declarations that a consumer can reach: the others name types of Node. */
function pruneDeclarations() {
  const reached = new Set()
  const visit = (path) => {
    if (reached.has(path)) return
    reached.add(path)
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(/(?:from |import\()["'](\.[^"']+)["']/g))
      visit(join(dirname(path), specifier.replace(/\.js$/, '.d.ts')))
  }
  visit(join(target, 'index.d.ts'))
  for (const path of declarations()) if (!reached.has(path)) rmSync(path)
}
