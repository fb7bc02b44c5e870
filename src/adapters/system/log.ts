/**
 * The log for operators: one JSON line per change of state on stderr, a constant message and fields. What may stand in
 * it is what the fields' types allow: ids, codes, counts and times; an error gives its code and its own message, never
 * its cause, which may quote what a service or a file said.
 */
import pino from 'pino'
import { CodedError, codeOf } from '#core/errors.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>
export type LogLevel = 'info' | 'warn' | 'error'

export type Log = { readonly [level in LogLevel]: (message: string, fields?: LogFields) => void } & {
  readonly child: (fields: LogFields) => Log
}

export function createLog(program: string, level: LogLevel): Log {
  // Synchronous, so that a process that ends has said why.
  const destination = pino.destination({ fd: 2, sync: true })
  return wrap(pino({ level, base: { program }, timestamp: pino.stdTimeFunctions.isoTime }, destination))
}

/** A fault as fields: its code; and where it is one of ours, its message. */
export function errorFields(error: unknown): LogFields {
  return {
    code: codeOf(error),
    // A foreign error's text may quote data; its class says where to look.
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
