/**
 * What laws and standards ask of an audit trail, and which part of this page answers. No program can say that
 * an organisation complies: the last column says what remains.
 */
import type { PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { table } from './parts.ts'

type Control = {
  readonly source: string
  readonly asks: string
  /** Parts of this page, by id and name. */
  readonly parts: readonly (readonly [string, string])[]
  readonly shows: string
  readonly remains: string
}

const ACCESS = ['access', 'Who received what'] as const
const RELEASES = ['releases', 'Releases'] as const
const TRACES = ['traces', 'Course of each job'] as const
const REFUSALS = ['refusals', 'Refusals'] as const
const FINDINGS = ['findings', 'Findings'] as const
const MACHINES = ['machines', 'Machines'] as const
const CHECK = ['check', 'Check it again'] as const

const CONTROLS: readonly Control[] = [
  {
    source: '45 CFR 164.312(b), HIPAA audit controls',
    asks: 'Mechanisms that record and examine activity in systems that contain or use health information.',
    parts: [RELEASES, REFUSALS, TRACES, FINDINGS],
    shows:
      'Each decision about a key, each use of a key and each result is recorded before it takes effect, and the audit examined all of them.',
    remains: 'Activity outside this pipeline: the source systems, and what people do with a result.',
  },
  {
    source: '21 CFR 11.10(e), audit trails',
    asks: 'Secure, computer-generated, time-stamped trails that do not obscure what was recorded before, kept and available for review.',
    parts: [TRACES, FINDINGS, CHECK],
    shows:
      'Entries are numbered and signed in append-only logs; a changed, removed or reordered entry is a finding. Times are the Verifier’s.',
    remains:
      'How long the buckets are locked, and who may read them: see the retention rules of both tenancies.',
  },
  {
    source: 'GDPR art. 30, records of processing',
    asks: 'Purposes, categories of data, recipients and a description of the security measures.',
    parts: [ACCESS, MACHINES],
    shows:
      'The purpose, kinds of records, recipient, limits and protection of each use, under the policy that persons signed.',
    remains:
      'Names of controllers and their officers, transfers, and times for erasure: no program here knows them.',
  },
  {
    source: 'NIST SP 800-53 AU-2, AU-3, AU-12',
    asks: 'Events are chosen and recorded with what, when, where, source, outcome and identity.',
    parts: [RELEASES, TRACES, REFUSALS],
    shows: 'A closed list of events. Each names its time, log, requester, machine, permission and outcome.',
    remains: 'Events of operating system and cloud, which their own logs have.',
  },
  {
    source: 'NIST SP 800-53 AU-6, AU-7',
    asks: 'Records are reviewed, and reports can be made of them.',
    parts: [FINDINGS, ACCESS],
    shows: 'This page is such a report; the audit behind it names every rule that does not hold.',
    remains: 'That a person reads it, regularly.',
  },
  {
    source: 'NIST SP 800-53 AU-8',
    asks: 'Time stamps of one source.',
    parts: [TRACES],
    shows: 'The Verifier’s time, which never goes back within a log.',
    remains: 'That the Verifier’s clock is right.',
  },
  {
    source: 'NIST SP 800-53 AU-9, AU-10',
    asks: 'Records are protected from change, and actions cannot be denied later.',
    parts: [FINDINGS, CHECK],
    shows:
      'Signatures of keys that end with each program, trees of hashes, write-once buckets, and two sides that record the same release.',
    remains: 'Custody of the signers’ own keys.',
  },
  {
    source: 'NIST SP 800-53 AU-11',
    asks: 'Records are kept as long as policy demands.',
    parts: [MACHINES],
    shows: 'From when to when each log reaches.',
    remains: 'The term of retention itself.',
  },
]

export function controls({ report: { verdict } }: PageContext): Content {
  return [
    html`<p>The table maps requirements to parts of this page. It is no statement that an organisation complies.</p>`,
    verdict !== 'intact' &&
      html`<p class="limit">The verdict is <strong>${verdict}</strong>. What follows holds only as far as the <a href="#findings">findings</a> allow.</p>`,
    table(
      'Requirements, and where this page answers them',
      [
        { title: 'Requirement' },
        { title: 'It asks for' },
        { title: 'Shown here' },
        { title: 'See' },
        { title: 'Not shown here' },
      ],
      CONTROLS.map(({ source, asks, shows, parts, remains }) => [
        source,
        asks,
        shows,
        html`<ul class="plain">${parts.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul>`,
        remains,
      ]),
    ),
  ]
}
