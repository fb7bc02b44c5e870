/**
 * Runs test files on one mutant in this process, up to the first failure. Exits with 1 if a test fails, else
 * with 0.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { run } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { applied, type Change } from './mutant.ts'

type Job = { readonly path: string; readonly change: Change | undefined; readonly files: readonly string[] }

const { path, change, files } = JSON.parse(process.argv[2] ?? '') as Job
const changed = pathToFileURL(path).href

registerHooks({
  load(url, context, next) {
    if (change === undefined || url !== changed) return next(url, context)
    const source = stripTypeScriptTypes(applied(readFileSync(fileURLToPath(url), 'utf8'), change))
    return { format: 'module', source, shortCircuit: true }
  },
})

// Limit of processor time; all tests together take a fraction of it. A separate thread notices a test that
// never ends.
const LIMIT_MS = 120_000
const watch = `setInterval(() => {
  if (process.cpuUsage().user > ${LIMIT_MS * 1000}) process.kill(process.pid, 'SIGKILL')
}, 1000)`
new Worker(watch, { eval: true }).unref()

run({ files: [...files], isolation: 'none' })
  .on('test:fail', ({ name }) => {
    process.stdout.write(`${name}\n`)
    process.exit(1)
  })
  .resume()
