/**
 * The contract of the Clock port over the system's clock, and over the clocks that stand in for it in tests.
 */
import { systemClock } from '#adapters/system/clock.ts'
import { virtualClock } from '../clock.ts'
import { steerableClock } from '../verifier/steerableClock.ts'
import { testClock } from './clock.ts'

testClock('system', systemClock, 'by itself')
testClock('virtual', virtualClock(), 'by sleeping')
testClock('steerable', steerableClock(), 'by sleeping')
