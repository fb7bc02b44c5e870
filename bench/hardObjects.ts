/** Objects that are made to cost a worker memory, as streams of NDJSON. */

export type HardObject = {
  readonly name: string
  readonly what: string
  /** `k` of the job's output contract. */
  readonly threshold: number
  readonly chunks: () => Iterable<Buffer>
}

/** The key and the header under which they are sealed. */
export const HARD_DEK = Buffer.alloc(32, 5)
export const HARD_HEADER = 'a.b.c'

const MIB = 1024 * 1024
/** The chunks of a made-up object; their size does not matter. */
const CHUNK_BYTES = MIB
const CELLS = 199_000
const SHOWN_CELLS = 50_000
const CMS_MINIMUM = 11

export const HARD_OBJECTS: readonly HardObject[] = [
  {
    name: 'plain',
    what: '100,000 small observations in few cells',
    threshold: CMS_MINIMUM,
    chunks: () => joined(times(100_000, (at) => observation(at % 50, at % 1000))),
  },
  {
    name: 'numbers',
    what: 'a line of 15 MB: an array of 7.5 M numbers',
    threshold: CMS_MINIMUM,
    chunks: () => patientWith('0,', 7_500_000),
  },
  {
    name: 'arrays',
    what: 'a line of 21 MB: 7 M nested arrays',
    threshold: CMS_MINIMUM,
    chunks: () => patientWith('[],', 7_000_000),
  },
  {
    name: 'members',
    what: '12 lines of 1.3 M members in objects of 256',
    threshold: CMS_MINIMUM,
    chunks: function* () {
      const names = Array.from({ length: 256 }, (_, at) => `"m${at}":0`)
      for (let line = 0; line < 12; line++) yield* patientWith(`{${names.join()}},`, 5000)
    },
  },
  {
    name: 'longest',
    what: '50 observations with all bytes and values that a line may have, and all of them kept',
    threshold: CMS_MINIMUM,
    chunks: function* () {
      const coding = '{"system":"http:\\/\\/loinc.org","code":"1234567-8"},'
      const head = '{"resourceType":"Observation","category":[{"coding":['
      const tail = '{}]}],"code":{"coding":[{"system":"http://loinc.org","code":"1234567-8"}]}}'
      const body = coding.repeat(21_000)
      const spaces = ' '.repeat(4 * MIB - head.length - body.length - tail.length)
      for (let line = 0; line < 50; line++) yield Buffer.from(`${head}${body}${spaces}${tail}\n`)
    },
  },
  {
    name: 'newlines',
    what: '64 MiB of line ends',
    threshold: CMS_MINIMUM,
    chunks: function* () {
      for (let mib = 0; mib < 64; mib++) yield Buffer.alloc(MIB, '\n')
    },
  },
  {
    name: 'table',
    what: '50,000 cells of 2 persons each, all of them shown',
    threshold: 2,
    chunks: () => joined(times(SHOWN_CELLS * 2, (at) => observation(at % SHOWN_CELLS, at))),
  },
  {
    name: 'persons',
    what: '199,000 cells of 10 persons each, none of them shown',
    threshold: CMS_MINIMUM,
    chunks: () => joined(times(CELLS * 10, (at) => observation(at % CELLS, Math.floor(at / CELLS)))),
  },
]

/** A patient with an array of many equal elements. `element` ends with its comma. */
function* patientWith(element: string, count: number): Generator<Buffer> {
  yield Buffer.from('{"resourceType":"Patient","x":[')
  const perChunk = Math.floor(CHUNK_BYTES / element.length)
  const chunk = Buffer.from(element.repeat(perChunk))
  for (let left = count; left > 0; left -= perChunk)
    yield chunk.subarray(0, Math.min(left, perChunk) * element.length)
  yield Buffer.from('0]}\n')
}

function observation(cell: number, person: number): string {
  const code = `{"system":"http://loinc.org","code":"${Math.floor(cell / 10)}-${cell % 10}"}`
  return `{"resourceType":"Observation","code":{"coding":[${code}]},"subject":{"reference":"Patient/${person}"},"effectiveDateTime":"2020"}\n`
}

function* times(count: number, make: (at: number) => string): Generator<string> {
  for (let at = 0; at < count; at++) yield make(at)
}

function* joined(lines: Iterable<string>): Generator<Buffer> {
  let text = ''
  for (const line of lines) {
    text += line
    if (text.length < CHUNK_BYTES) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}
