/**
 * The reporter of `npm test`: progress, each failure once with its message, the skipped tests with their
 * reasons, then Node's own closing lines. On a terminal the progress is one line, redrawn in place. Elsewhere
 * it is one line per finished area, and one after half a minute of silence. It never changes the exit code of
 * `node --test`.
 */
import { dirname, relative, resolve, sep } from 'node:path'
import type { TestEvent } from 'node:test/reporters'
import { styleText } from 'node:util'

const SILENCE_MS = 30_000
const REDRAW_MS = 250
const MESSAGE_LINES = 40
const STACK_LINES = 5
const OUTPUT_LINES = 40

type Complete = Extract<TestEvent, { type: 'test:complete' }>['data']

/** The files of one folder. */
type Area = { files: number; done: number; tests: number; failed: number; elapsedMs: number }

/** What node:test adds to the error of a failed test. */
type Failure = { readonly failureType?: unknown; readonly exitCode?: unknown; readonly signal?: unknown }

/** The lines that an event adds to the report; `line` is the present state in one line. */
type Report = { readonly take: (event: TestEvent) => readonly string[]; readonly line: () => string }

// node:test takes a reporter only as a default export.
// biome-ignore lint/style/noDefaultExport: see above
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  const terminal = process.stdout.isTTY === true
  const { take, line } = createReport()
  const clear = terminal ? '\r\x1b[K' : ''
  let saidAt = performance.now()
  for await (const event of withTicks(source, terminal ? REDRAW_MS : SILENCE_MS)) {
    const lines = event === undefined ? [] : take(event)
    const silence = performance.now() - saidAt
    if (lines.length > 0) yield `${clear}${lines.join('\n')}\n`
    if (terminal && (lines.length > 0 || silence >= REDRAW_MS))
      yield `${clear}${line().slice(0, process.stdout.columns - 1)}`
    else if (!terminal && lines.length === 0 && silence >= SILENCE_MS) yield `${line()}\n`
    else if (lines.length === 0) continue
    saidAt = performance.now()
  }
  if (terminal) yield clear
}

/** The events of `source`, and undefined whenever none came for `ms`. */
async function* withTicks(
  source: AsyncIterable<TestEvent>,
  ms: number,
): AsyncGenerator<TestEvent | undefined> {
  const events = source[Symbol.asyncIterator]()
  let next = events.next()
  for (;;) {
    const tick = Promise.withResolvers<undefined>()
    const timer = setTimeout(tick.resolve, ms, undefined)
    const result = await Promise.race([next, tick.promise])
    clearTimeout(timer)
    if (result?.done === true) return
    yield result?.value
    if (result !== undefined) next = events.next()
  }
}

function createReport(): Report {
  const start = performance.now()
  const areas = new Map<string, Area>()
  const names = new Map<string, { readonly name: string; readonly parentId: number | undefined }>()
  const outputs = new Map<string, string[]>()
  const skips = new Map<string, string[]>()
  const failures: string[] = []
  const testsIn = new Map<string, number>()
  const count = { files: 0, done: 0, passed: 0, failed: 0, skipped: 0 }

  const areaOf = (file: string): Area => {
    const name = areaName(file)
    const area = areas.get(name) ?? { files: 0, done: 0, tests: 0, failed: 0, elapsedMs: 0 }
    areas.set(name, area)
    return area
  }
  const nameOf = (entry: string, id: number | undefined): readonly string[] => {
    const found = names.get(`${entry}#${id}`)
    return found === undefined ? [] : [...nameOf(entry, found.parentId), found.name]
  }
  const addOutput = (file: string, text: string): void => {
    const lines = [...(outputs.get(file) ?? []), ...text.trimEnd().split('\n')]
    outputs.set(file, lines.slice(-OUTPUT_LINES))
  }
  const outputOf = (file: string): readonly string[] => {
    const lines = outputs.get(file) ?? []
    return lines.length === 0
      ? []
      : [`  output of ${relative('', file)}:`, ...lines.map((line) => `    ${line}`)]
  }
  const failed = (area: Area, title: string, place: string, detail: readonly string[]): readonly string[] => {
    count.failed += 1
    area.failed += 1
    failures.push(`${place}  ${title}`)
    return ['', `${red('✖')} ${title}`, `  ${place}`, ...detail.map((line) => `  ${line}`)]
  }

  const completeFile = (file: string, { details }: Complete): readonly string[] => {
    const area = areaOf(file)
    const lines: string[] = []
    count.done += 1
    area.done += 1
    area.elapsedMs += details.duration_ms
    const { failureType, exitCode, signal } = failureOf(details.error)
    if (details.error !== undefined && failureType !== 'subtestsFailed') {
      const end = typeof signal === 'string' ? `signal ${signal}` : `exit code ${exitCode ?? 'unknown'}`
      lines.push(...failed(area, `the test file ended with ${end}`, relative('', file), []))
    } else if ((testsIn.get(file) ?? 0) === 0) {
      lines.push(`warning: ${relative('', file)} ran no test`)
    }
    if (details.error !== undefined) lines.push(...outputOf(file))
    outputs.delete(file)
    if (area.done === area.files && !process.stdout.isTTY) lines.push(formatArea(areaName(file), area))
    return lines
  }

  const completeTest = (entry: string, data: Complete): readonly string[] => {
    const { details, skip, todo, file = entry, line } = data
    const area = areaOf(entry)
    const title = [...nameOf(entry, data.parentId), data.name].join(' › ')
    if (typeof skip === 'string' || skip === true) {
      const reason = typeof skip === 'string' && skip !== '' ? skip : 'no reason given'
      skips.set(reason, [...(skips.get(reason) ?? []), relative('', entry)])
    }
    if (details.type !== 'suite') {
      testsIn.set(entry, (testsIn.get(entry) ?? 0) + 1)
      area.tests += 1
      if (skip !== undefined) count.skipped += 1
      else if (details.passed && todo === undefined) count.passed += 1
    }
    const { failureType } = failureOf(details.error)
    if (details.error === undefined || todo !== undefined || failureType === 'subtestsFailed') return []
    return failed(area, title, `${relative('', file)}:${line ?? 1}`, explain(details.error))
  }

  return {
    line: () =>
      `${count.done} of ${count.files} files, ${count.passed} passed, ${count.failed} failed, ` +
      `${count.skipped} skipped, ${seconds(performance.now() - start)}`,
    take: (event) => {
      switch (event.type) {
        case 'test:enqueue': {
          const { name, file = '', nesting } = event.data
          if (isFile(name, file, nesting)) {
            count.files += 1
            areaOf(file).files += 1
          } else
            names.set(`${entryOf(event.data)}#${event.data.testId}`, { name, parentId: event.data.parentId })
          return []
        }
        case 'test:complete': {
          const { name, file = '', nesting } = event.data
          return isFile(name, file, nesting)
            ? completeFile(file, event.data)
            : completeTest(entryOf(event.data), event.data)
        }
        case 'test:stdout':
        case 'test:stderr':
          addOutput(resolve(event.data.file ?? ''), event.data.message)
          return []
        case 'test:diagnostic': {
          const { file, message } = event.data
          if (file === undefined) return [...closing(skips, failures), `ℹ ${message}`]
          addOutput(entryOf(event.data), message)
          return []
        }
        default:
          return []
      }
    },
  }
}

/** The parts of the summary above Node's first closing line; nothing above the others. */
function closing(skips: Map<string, string[]>, failures: string[]): readonly string[] {
  const lines: string[] = []
  for (const [reason, files] of skips)
    lines.push(`skipped ${files.length} in ${[...new Set(files)].join(', ')}: ${reason}`)
  if (failures.length > 0) lines.push('', `${red('✖')} ${failures.length} failed, details above:`)
  lines.push(...failures.map((failure) => `  ${failure}`))
  skips.clear()
  failures.length = 0
  return lines
}

/** The runner's own event for a whole file: its name is the file's path. */
function isFile(name: string, file: string, nesting: number): boolean {
  return nesting === 0 && file !== '' && resolve(name) === file
}

/**
 * The file that the runner started; `file` is where the test is written, which may be a file that several
 * import.
 */
function entryOf(data: { readonly file?: string; readonly entryFile?: string }): string {
  return data.entryFile ?? data.file ?? ''
}

/** Two folders at most, without `test`: test/core/snp/launch/x.test.ts is in core/snp. */
function areaName(file: string): string {
  const folders = dirname(relative('', file)).split(sep)
  return (
    folders
      .slice(folders[0] === 'test' ? 1 : 0)
      .slice(0, 2)
      .join('/') || '.'
  )
}

function formatArea(name: string, { files, tests, failed, elapsedMs }: Area): string {
  const mark = failed === 0 ? '✔' : red('✖')
  const failures = failed === 0 ? '' : `, ${failed} failed`
  return `${mark} ${name.padEnd(20)} ${plural(files, 'file')}, ${plural(tests, 'test')}${failures}, ${seconds(elapsedMs)}`
}

function failureOf(error: Error | undefined): Failure {
  const fields: Readonly<Record<string, unknown>> = { ...error }
  return fields
}

/** The message with its diff, the own frames of the stack, and the same for each cause. */
function explain(error: Error): readonly string[] {
  const { failureType } = failureOf(error)
  const prefix = failureType === 'hookFailed' ? [error.message] : []
  const inner = error.cause instanceof Error ? error.cause : undefined
  if (inner === undefined) return clip(error.cause === undefined ? error.message : String(error.cause))
  const lines = [...prefix, ...explainOne(inner)]
  for (let cause = inner.cause, depth = 0; cause !== undefined && depth < 3; depth++) {
    lines.push(
      ...(cause instanceof Error ? explainOne(cause, 'caused by ') : clip(`caused by ${String(cause)}`)),
    )
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return lines
}

function explainOne(error: Error, prefix = ''): readonly string[] {
  const code = 'code' in error && typeof error.code === 'string' ? ` [${error.code}]` : ''
  const frames = (error.stack ?? '')
    .split('\n')
    .filter(
      (line) => /^\s+at /.test(line) && !/\(?node:|node_modules|<anonymous>\)$|\(index \d+\)$/.test(line),
    )
    .slice(0, STACK_LINES)
    .map((line) => line.replace(`file://${process.cwd()}/`, ''))
  return [...clip(`${prefix}${error.name}${code}: ${error.message}`), ...frames]
}

function clip(text: string): readonly string[] {
  const lines = text.trimEnd().split('\n')
  if (lines.length <= MESSAGE_LINES) return lines
  return [...lines.slice(0, MESSAGE_LINES), `… ${lines.length - MESSAGE_LINES} more lines`]
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function red(text: string): string {
  return styleText('red', text, { stream: process.stdout })
}
