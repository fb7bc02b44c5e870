/**
 * A node:test for the code under test in a thread: it only collects tests, which the thread then runs in order.
 * Each mutant has a copy of this module, so the tests of one never reach another.
 */
type Step = () => unknown
type Context = {
  readonly test: (name: string, body: Step) => Promise<void>
  readonly after: (step: Step) => void
}
type Body = (context: Context) => unknown
export type PlainTest = { readonly name: string; readonly run: () => Promise<void> }

let tests: PlainTest[] = []
let lastSteps: Step[] = []

export function test(name: string, ...[options, body]: readonly [Body] | readonly [object, Body]): void {
  if (typeof options === 'function') tests.push({ name, run: () => runTest(options as Body) })
  else if (body !== undefined && (!('skip' in options) || options.skip === false))
    tests.push({ name, run: () => runTest(body) })
}

export function describe(_name: string, body: Step): void {
  body()
}

export function before(step: Step): void {
  test('before the tests', step)
}

export function after(step: Step): void {
  lastSteps.push(step)
}

async function runTest(body: Body): Promise<void> {
  const steps: Step[] = []
  const context: Context = {
    test: async (_name, part) => {
      await part()
    },
    after: (step) => steps.push(step),
  }
  try {
    await body(context)
  } finally {
    for (const step of steps) await step()
  }
}

/** The tests since the last call, and what is to be done after them. */
export function takeTests(): { readonly tests: readonly PlainTest[]; readonly end: () => Promise<void> } {
  const [taken, steps] = [tests, lastSteps]
  tests = []
  lastSteps = []
  const end = async () => {
    for (const step of steps) await step()
  }
  return { tests: taken, end }
}

// biome-ignore lint/style/noDefaultExport: node:test has one
export default test
