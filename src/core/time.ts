/**
 * Times in seconds since the epoch. Core never reads a clock: every function that depends on time takes it.
 */
import { CodedError } from './errors/report.ts'

declare const unixSeconds: unique symbol
/** Whole seconds since 1970-01-01T00:00:00Z, up to the year 9999. */
export type UnixSeconds = number & { readonly [unixSeconds]: true }

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/
const DAY = 86_400
/** 9999-12-31T23:59:59Z, the last that RFC 3339 can write. */
export const LAST_SECOND = 253_402_300_799

/** Throws `encoding.invalid` unless `value` is a whole number of seconds from 1970 to 9999. */
export function toUnixSeconds(value: number, field = 'time'): UnixSeconds {
  if (!Number.isSafeInteger(value) || value < 0 || value > LAST_SECOND)
    throw new CodedError('encoding.invalid', `${field} is not a time in whole seconds from 1970 to 9999`)
  return value as UnixSeconds
}

export function addSeconds(time: UnixSeconds, seconds: number): UnixSeconds {
  return toUnixSeconds(time + seconds)
}

/** Parses only `YYYY-MM-DDThh:mm:ssZ`. */
export function parseRfc3339(text: string, field = 'time'): UnixSeconds {
  const time = fromCivil(RFC3339.exec(text)?.slice(1).map(Number) ?? [])
  if (time === undefined)
    throw new CodedError('encoding.invalid', `${field} is not a UTC time such as 2026-01-31T12:00:00Z`)
  return time
}

/**
 * The time of year, month, day, hour, minute and second. Undefined if there is no such time from 1970 to
 * 9999.
 */
export function fromCivil([year = 0, month = 0, day = 0, ...clock]: readonly number[]):
  | UnixSeconds
  | undefined {
  const [hour = 0, minute = 0, second = 0] = clock
  const days = daysBefore(year, month, day)
  const date = civilDate(days)
  const isDate = date.year === year && date.month === month && date.day === day && days >= 0
  if (!isDate || year > 9999 || hour > 23 || minute > 59 || second > 59) return undefined
  // Besides `toUnixSeconds`, only this line makes a number a time.
  return (days * DAY + hour * 3600 + minute * 60 + second) as UnixSeconds
}

/** `YYYY-MM-DDThh:mm:ssZ`. */
export function toRfc3339(time: UnixSeconds): string {
  const { year, month, day } = civilDate(Math.floor(time / DAY))
  const second = time % DAY
  const two = (value: number) => String(value).padStart(2, '0')
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
  return `${date}T${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}Z`
}

// Conversion between a Gregorian date and days since 1970-01-01: H. Hinnant, "chrono-compatible low-level
// date algorithms", days_from_civil and civil_from_days. Years run from March, in eras of 400.
function daysBefore(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  )
}

function civilDate(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  }
}
