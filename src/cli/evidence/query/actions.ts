/** `evidence query`: entries of an audit, as lines, JSON or FHIR. */
import { auditFolder } from '#adapters/evidence/folderAudit.ts'
import { timeText } from '#cli/policy/words.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { CodedError } from '#core/errors.ts'
import type { AnyLogged } from '#core/evidence/audit/log/log.ts'
import { auditEventOf } from './auditEvent.ts'
import type { QueryActions } from './command.ts'
import { FactBook } from './facts.ts'
import { filterOf } from './filter.ts'

export function queryActions({ terminal, exit }: CommandContext): QueryActions {
  return {
    query: async (dir, options) => {
      const { trust, simulation, json, fhir } = options
      if (json === true && fhir === true)
        throw new CodedError('usage.invalid', '--json and --fhir are two forms: name one')
      const isAsked = filterOf(options)
      const facts = new FactBook()
      const { verdict } = await auditFolder(dir, {
        trust,
        simulation,
        rows: 1,
        onEntry: (logged) => {
          const known = facts.of(logged)
          if (!isAsked(logged.entry, known)) return
          if (fhir === true) terminal.printJson(auditEventOf(logged, known))
          else if (json === true) terminal.printJson(logged)
          else terminal.print(lineOf(logged))
        },
      })
      if (verdict !== 'intact') {
        terminal.warn(`the evidence is ${verdict}; "evidence verify" says why`)
        exit(1)
      }
    },
  }
}

function lineOf({ boot, index, entry }: AnyLogged): string {
  const { event, time, v: _v, ...fields } = entry
  const texts = Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name}=${text}`
  })
  const line = [timeText(time), `${boot}/${index}`, event, ...texts].join('  ')
  // A requester may have chosen some words: control characters must not reach the terminal.
  return `${line.replace(/\p{C}/gu, '?')}\n`
}
