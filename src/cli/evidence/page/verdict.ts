/** The verdict, its limits, and the whole collection in a few sentences. */
import { listText, numberText, timeText } from '#cli/policy/words.ts'
import type { EvidenceReport } from '#core/evidence/audit/report.ts'
import { type PageContext, periodOf, tenantsOf } from './context.ts'
import { type Content, type Html, html } from './html.ts'
import { counted } from './parts.ts'

type Verdict = EvidenceReport['verdict']

const VERDICTS: Readonly<Record<Verdict, { readonly word: string; readonly sentence: string }>> = {
  intact: {
    word: 'Intact',
    sentence:
      'The records are complete and unchanged up to the end of each log, and they agree with each other.',
  },
  consistent: {
    word: 'Consistent',
    sentence:
      'The records agree with each other and with the root that came with them. Whoever made that root may have made all of this: confirm it first.',
  },
  incomplete: {
    word: 'Incomplete',
    sentence: 'Nothing contradicts, but something is missing. The findings say what.',
  },
  broken: {
    word: 'Broken',
    sentence:
      'Something was changed, or the records contradict each other. Until each finding is explained, do not rely on the rest of this page.',
  },
}

export function verdict({ report, totals }: PageContext): Html {
  const { word, sentence } = VERDICTS[report.verdict]
  return html`<div class="verdict ${report.verdict}" id="verdict">
<p class="word"><span class="mark" aria-hidden="true"></span>${word}</p>
<p>${sentence}</p>
</div>
${limits(report, totals).map((limit) => html`<p class="limit">${limit}</p>\n`)}`
}

function limits(
  { simulation, trust, witnessed }: PageContext['report'],
  { uses }: PageContext['totals'],
): readonly Content[] {
  return [
    simulation &&
      html`<strong>Simulated.</strong> The machines were emulated, and their root is not AMD’s. This page proves nothing about a real machine.`,
    trust.source === 'collection' &&
      html`<strong>Root not confirmed.</strong> The signers’ keys came with the evidence itself. The verdict holds only if their <a href="#check">thumbprints</a> are those that the provider gave you another way.`,
    witnessed === 'unwitnessed' &&
      html`<strong>Not witnessed.</strong> Only the writers of the logs have seen them grow. The end of a log could have been cut off, if nothing else refers to it.`,
    uses.some(({ open }) => open > 0) &&
      html`<strong>Confidential.</strong> It has counts of records that were sealed to the provider’s audit key. Show it only to those who may know them.`,
  ].filter((limit) => limit !== false)
}

/** What happened, as one would tell it. */
export function summary(context: PageContext): Html {
  const { report, totals } = context
  const { allowed, refused } = totals
  const period = periodOf(report)
  const tenants = tenantsOf(report)
  const owner = tenants.length === 0 ? 'the provider' : listText(tenants)
  const when = period && `Between ${timeText(period.from)} and ${timeText(period.to)}, `
  const clients = [...new Set(totals.uses.map(({ client }) => client))]
  const unanswered = report.turnedAway.reduce((total, { count }) => total + count, 0)
  const findings = report.findings.length + report.findingsOmitted
  const sentences = [
    `${when ?? ''}${when === undefined ? 'The' : 'the'} Verifiers of ${owner} decided on ${counted(allowed + refused, 'request')} for keys to sealed health data.`,
    allowed === 0
      ? 'None was allowed.'
      : `${allowed === 1 ? '1 was' : `${numberText(allowed)} were`} allowed, for ${listText(clients.slice(0, 5))}${clients.length > 5 ? ` and ${numberText(clients.length - 5)} more` : ''}.`,
    `${refused === 1 ? '1 was' : `${numberText(refused)} were`} refused.`,
    report.totals.results === 1
      ? '1 result was delivered.'
      : `${numberText(report.totals.results)} results were delivered.`,
    totals.disclosures > 0 &&
      `${counted(totals.disclosures, 'release')} went to machines whose administrators could read the whole file.`,
    unanswered > 0 && `${counted(unanswered, 'request')} came from no known client and went unanswered.`,
    report.setAside.length > 0 &&
      `${counted(report.setAside.length, 'job')} did not succeed and ${report.setAside.length === 1 ? 'was' : 'were'} set aside for people.`,
  ].filter((sentence) => sentence !== false)
  return html`<p class="lead">${sentences.join(' ')}</p>
<dl class="figures">${[
    ['allowed', allowed, '#access'],
    ['refused', refused, '#refusals'],
    ['results', report.totals.results, '#access'],
    ['findings', findings, '#findings'],
  ].map(
    ([label, value, target]) =>
      html`<div><dt><a href="${target}">${label}</a></dt><dd>${numberText(Number(value))}</dd></div>`,
  )}</dl>\n`
}
