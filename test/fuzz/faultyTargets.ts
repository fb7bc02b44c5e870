/** Targets whose parsers have one fault each, on about one input in a hundred. A campaign must find them. */
import { CodedError } from '#core/errors.ts'
import { type Target, Violation } from './target.ts'

const kept: unknown[] = []

const FAULTS: Readonly<Record<string, (bytes: Buffer) => Promise<void> | void>> = {
  none: () => undefined,
  crash: (bytes) => void bytes.readUInt8(8),
  undocumented: () => {
    throw new CodedError('config.invalid', 'a code that is not documented here')
  },
  violation: () => {
    throw new Violation('the output is not the input')
  },
  later: async () => {
    throw new Violation('the output comes too late')
  },
  text: () => {
    // A parser may throw anything.
    throw Object.create(null)
  },
  recursion: function recursion(bytes): void {
    recursion(bytes)
  },
  hang: (bytes) => {
    while (bytes.byteLength > 0) bytes[0] = 1
  },
  heap: () => {
    for (;;) kept.push(Array.from({ length: 1000 }))
  },
  leak: () => {
    kept.push(Buffer.alloc(2 ** 20, 1))
  },
}

export const TARGETS: readonly Target[] = Object.entries(FAULTS).map(([name, fault]) => ({
  name,
  what: 'a parser with a fault',
  weight: 1,
  quick: 1000,
  codes: ['report.malformed', 'report.invalid'],
  open: async () => ({
    generate: (random) => [random.bytes(4)],
    check: async ([bytes = Buffer.alloc(0)]) => {
      if (bytes.readUInt8(0) < 3) await fault(bytes)
      if (bytes.readUInt8(0) < 128) throw new CodedError('report.malformed', `byte ${bytes.readUInt8(1)}`)
    },
  }),
}))
