/**
 * Loaded into every program of a deployment before its main file: moves the program's wall clock by the
 * milliseconds that a file names for it, as a virtual machine's clock jumps. The file is `{"worker-1": 600000}`.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

const REREAD_MS = 200

const file = process.env['CW_CLOCK_FILE']
const program = basename(process.argv[process.argv.indexOf('--config') + 1] ?? '', '.json')
const RealDate = Date
let offset = 0

class JumpingDate extends RealDate {
  constructor(...parameters: readonly unknown[]) {
    // Without parameters it is now.
    super(...((parameters.length === 0 ? [RealDate.now() + offset] : parameters) as [number]))
  }
  static override now(): number {
    return RealDate.now() + offset
  }
}

if (file !== undefined && program !== '') {
  const read = () => {
    try {
      offset = Number(JSON.parse(readFileSync(file, 'utf8'))[program] ?? 0)
    } catch {
      // It is being written.
    }
  }
  read()
  setInterval(read, REREAD_MS).unref()
  globalThis.Date = JumpingDate as DateConstructor
}
