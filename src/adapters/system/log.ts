/**
 * The log for operators: one JSON line on stderr per change of state, with a constant message and fields. The
 * fields' types allow ids, codes, counts and times. An error gives its code and its own message. So does its
 * cause if it is a fault of ours; any other cause may quote a service or a file.
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

/** An error as fields: its code, and its message if it is a `CodedError`; the same of its cause. */
export function errorFields(error: unknown): LogFields {
  return {
    code: codeOf(error),
    // Another error's text may quote data. Its class tells where to look.
    error: error instanceof CodedError ? error.message : error instanceof Error ? error.name : 'unknown',
    ...(error instanceof CodedError && error.cause instanceof CodedError && causeOf(error, error.cause)),
  }
}

/** A cause that only repeats what its error says is left out. */
function causeOf(error: CodedError, cause: CodedError): LogFields {
  return error.message.startsWith(cause.message) ? {} : { cause: `${cause.code}: ${cause.message}` }
}

function wrap(logger: pino.Logger): Log {
  return {
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields) => wrap(logger.child(fields)),
  }
}
