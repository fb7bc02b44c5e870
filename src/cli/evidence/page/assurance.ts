/** What was proved about the machines, in plain words, and each machine with its measurement. */
import { numberText } from '#cli/policy/words.ts'
import type { LogReport } from '#core/evidence/audit/report.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { code, counted, facts, leftOut, shortId, table, timeCell } from './parts.ts'

/** Newest first. A log that no one registered may have been made by anyone, so many may be there. */
const MAX_LOGS = 300

export function assurance({ totals: { assurance: levels, disclosures } }: PageContext): Content {
  const [measured, platform] = [levels.get('measured') ?? 0, levels.get('platform') ?? 0]
  return [
    html`<p>A worker gets a key only if its processor proves, for this one request, what it runs. The processor signs the proof, and the chain of certificates ends at its maker’s root. What the proof shows depends on the machine:</p>`,
    facts([
      [
        'Measured',
        html`${counted(measured, 'release')}. The signed measurement covers the firmware, the kernel and the whole disk image, and equals one that the provider approved. While it worked, neither the cloud operator nor the recipient’s administrators could read the data.`,
      ],
      [
        'Platform',
        html`${counted(platform, 'release')}. The processor proved that it is genuine, that its firmware is approved and that its memory is encrypted. The disk was not measured: whoever administers the machine could read what was released to it.`,
      ],
      ...(disclosures === 0
        ? []
        : [
            [
              'Disclosure',
              html`<strong>${counted(disclosures, 'release')}</strong> of those went to machines that the recipient administers. Treat each file as handed over whole.`,
            ] as const,
          ]),
      ['Software version', 'A worker’s own claim about its version is recorded, and nothing rests on it.'],
    ]),
  ]
}

export function machines(context: PageContext): Content {
  const { logs } = context.report
  const newest = [...logs].sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0))
  const workers = newest.filter(({ role, registered }) => role === 'worker' && registered)
  const verifiers = newest.filter(({ role, registered }) => role === 'verifier' && registered)
  const strangers = newest.filter(({ registered }) => !registered)
  return [
    html`<p>Each start of a program has a key of its own that ends with it, and a log that this key signs. A start is named by its key.</p>`,
    workers.length === 0
      ? html`<p>No worker was ever accepted.</p>`
      : [
          table(
            'Workers that the provider accepted',
            [
              { title: 'Start' },
              { title: 'Of' },
              { title: 'Assurance' },
              { title: 'Measurement', kind: 'code' },
              { title: 'Build' },
              { title: 'Log' },
              { title: 'Last entry (UTC)' },
            ],
            workers
              .slice(0, MAX_LOGS)
              .map((log) => [
                start(log),
                log.client ?? 'unknown',
                log.assurance ?? 'unknown',
                log.measurement === null ? 'unknown' : digest(log.measurement),
                log.reference ?? 'unknown',
                state(log),
                timeCell(log.lastAt),
              ]),
          ),
          leftOut(MAX_LOGS, workers.length, 'workers'),
          builds(context, workers),
        ],
    verifiers.length > 0 && [
      table(
        'Verifiers that decided',
        [{ title: 'Start' }, { title: 'Log' }, { title: 'First entry (UTC)' }, { title: 'Last entry (UTC)' }],
        verifiers
          .slice(0, MAX_LOGS)
          .map((log) => [start(log), state(log), timeCell(log.openedAt), timeCell(log.lastAt)]),
      ),
      leftOut(MAX_LOGS, verifiers.length, 'Verifiers'),
    ],
    strangers.length > 0 && [
      html`<p>Machines that were refused write logs too. Those logs may say nothing about keys, and count for nothing here.</p>`,
      table(
        'Logs of machines that were never accepted',
        [{ title: 'Start' }, { title: 'Log' }, { title: 'Last entry (UTC)' }],
        strangers.slice(0, MAX_LOGS).map((log) => [start(log), state(log), timeCell(log.lastAt)]),
      ),
      leftOut(MAX_LOGS, strangers.length, 'logs'),
    ],
  ]
}

function start({ boot, simulation }: LogReport): Content {
  return html`${shortId(boot)}${simulation && html` <span class="tag">simulated</span>`}`
}

function digest(hex: string): Content {
  return html`<code class="digest">${hex}</code>`
}

function state({ status, size, checkpoints, unsealed }: LogReport): Content {
  return html`${counted(size, 'entry', 'entries')} under ${counted(checkpoints, 'signature')}, ${
    status === 'closed' ? 'ended in order' : 'without an end'
  }${unsealed > 0 && `; ${numberText(unsealed)} more are not signed and not believed`}`
}

/** The builds that the workers matched, as the newest policy with each name has them. */
function builds({ report }: PageContext, workers: readonly LogReport[]): Content {
  const values = report.policies.flatMap(({ policy }) => policy.referenceValues)
  const names = [...new Set(workers.flatMap(({ reference }) => reference ?? []))].slice(0, MAX_LOGS)
  return table(
    'Builds that they matched',
    [{ title: 'Build' }, { title: 'Processor' }, { title: 'Least TCB' }, { title: 'Approved (UTC)' }],
    names.flatMap((name) => {
      const found = values.findLast(({ id }) => id === name)
      if (found === undefined) return [[name, 'in no policy here', '', '']]
      const span = html`${timeCell(found.notBefore)} until ${timeCell(found.notAfter)}`
      return floors(found).map(([product, floor]) => [name, product, floor, span])
    }),
  )
}

/** Components without a floor are left out. */
function floors({ processors }: PolicyReference): readonly (readonly [string, string])[] {
  const texts = processors.map(({ product, floor }) => {
    const parts = Object.entries(floor).filter(([, value]) => value > 0)
    return `${product}\n${parts.map(([part, value]) => `${part} ${value}`).join(', ')}`
  })
  return [...new Set(texts)].map((text) => {
    const [product = '', floor = ''] = text.split('\n')
    return [product, floor === '' ? 'any' : floor]
  })
}

/** The boots' roots, for a reader who compares them with an earlier copy. */
export function logRoots({ report }: PageContext): Content {
  const logs = [...report.logs].sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0))
  return html`<details><summary>Size and root of each log, to compare with another copy</summary>
${table(
  'Logs by their last checkpoint',
  [
    { title: 'Start', kind: 'code' },
    { title: 'Entries', kind: 'number' },
    { title: 'Root', kind: 'code' },
  ],
  logs.slice(0, MAX_LOGS).map(({ boot, size, root }) => [code(boot), numberText(size), code(root)]),
)}${leftOut(MAX_LOGS, logs.length, 'logs')}</details>`
}
