/** A log that keeps its lines in memory. */
import type { Log, LogFields } from '#adapters/system/log.ts'

export type Line = LogFields & { readonly level: string; readonly msg: string }

export function linesOf(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (msg: string, fields: LogFields = {}) => {
      lines.push({ level, msg, ...fields })
    }
  const log: Log = { info: at('info'), warn: at('warn'), error: at('error'), child: () => log }
  return { log, lines }
}
