/**
 * Runs test files on one mutant in this process, up to the first failure. Exits with 1 if a test fails, else
 * with 0. The last line of its output names the failure, or else the milliseconds of processor time.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { run } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { applied, type Change } from './mutant.ts'

type Job = {
  readonly path: string
  readonly change: Change | undefined
  readonly files: readonly string[]
  readonly limitMs: number
}

const { path, change, files, limitMs } = JSON.parse(process.argv[2] ?? '') as Job
const changed = pathToFileURL(path).href

registerHooks({
  load(url, context, next) {
    if (change === undefined || url !== changed) return next(url, context)
    const source = stripTypeScriptTypes(applied(readFileSync(fileURLToPath(url), 'utf8'), change))
    return { format: 'module', source, shortCircuit: true }
  },
})

// A separate thread notices a test that never ends.
const watch = `setInterval(() => {
  if (process.cpuUsage().user > ${limitMs * 1000}) process.kill(process.pid, 'SIGKILL')
}, 1000)`
new Worker(watch, { eval: true }).unref()

run({ files: [...files], isolation: 'none' })
  .on('test:fail', ({ name }) => {
    process.stdout.write(`${name}\n`)
    process.exit(1)
  })
  .resume()

process.once('exit', (code) => {
  if (code === 0) process.stdout.write(`${process.cpuUsage().user / 1000}\n`)
})
