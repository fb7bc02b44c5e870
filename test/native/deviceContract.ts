/** A program for the tests: runs the contract of report sources against the device at /dev/null. */
import { openDevice } from '#adapters/sev/device.ts'
import { createFirmwareSource } from '#adapters/sev/firmware.ts'
import { virtualClock } from '../clock.ts'
import { testReportSource } from '../contract/reportSource.ts'
import { linesOf } from '../log.ts'

const { log } = linesOf()
testReportSource('device', () =>
  createFirmwareSource(openDevice({ path: '/dev/null', clock: virtualClock(), log }), {
    log,
    endorsements: { certsFor: async (_report, brought) => brought },
  }),
)
