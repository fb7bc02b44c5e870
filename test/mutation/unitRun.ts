/** Runs test files on one mutant, in this process, up to the first test that fails: exit 1; 0 where none does. */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { run } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
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

run({ files: [...files], isolation: 'none' })
  .on('test:fail', ({ name }) => {
    process.stdout.write(`${name}\n`)
    process.exit(1)
  })
  .resume()
