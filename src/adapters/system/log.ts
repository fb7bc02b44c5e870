/**
 * The log for operators: one JSON line on stderr per change of state, with a constant message and fields. The
 * fields' types allow ids, codes, counts and times. An error gives its code and its own message, never its
 * cause, which may quote a service or a file.
 */
import pino from 'pino'
import { CodedError, codeOf } from '#core/errors.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>
export type LogLevel = 'info' | 'warn' | 'error'

export type Log = { readonly [level in LogLevel]: (message: string, fields?: LogFields) => void } & {
  readonly child: (fields: LogFields) => Log
}

export function createLog(program: string, level: LogLevel): Log {
  // Synchronous, so that a process that ends has written the reason.
  const destination = pino.destination({ fd: 2, sync: true })
  return wrap(pino({ level, base: { program }, timestamp: pino.stdTimeFunctions.isoTime }, destination))
}

/** An error as fields: its code, and its message if it is a `CodedError`. */
export function errorFields(error: unknown): LogFields {
  return {
    code: codeOf(error),
    // Another error's text may quote data. Its class tells where to look.
    error: error instanceof CodedError ? error.message : error instanceof Error ? error.name : 'unknown',
  }
}

function wrap(logger: pino.Logger): Log {
  return {
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields) => wrap(logger.child(fields)),
  }
}
