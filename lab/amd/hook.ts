/**
 * The firmware as a filter: reads a request of 96 bytes (struct snp_report_req) on stdin, writes the report
 * of 1184 bytes to stdout. A fake device forwards its ioctl to `node lab/amd/hook.ts STATE_DIR GUEST`. Exits
 * with 1 if the firmware would answer INVALID_PARAM, with 2 if the guest is unknown.
 */
import { buffer } from 'node:stream/consumers'
import { openGuest } from './guest.ts'

const [stateDir = '', name = ''] = process.argv.slice(2)
try {
  const guest = await openGuest(stateDir, name)
  const report = guest.report(await buffer(process.stdin))
  if (report === undefined) process.exitCode = 1
  else process.stdout.write(report)
} catch (error) {
  process.stderr.write(`hook: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
