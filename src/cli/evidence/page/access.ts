/** Who received what and why; then, for each use, what was asked, granted, delivered and withheld. */
import {
  assuranceText,
  bytesText,
  disclosureSentence,
  disclosureText,
  isDisclosed,
  numberText,
  purposeText,
} from '#cli/policy/words.ts'
import { CodedError } from '#core/errors.ts'
import type { Permission } from '#core/policy/policy.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { bars } from './charts.ts'
import { type PageContext, type PermissionInForce, permissionIn } from './context.ts'
import { type Content, type Html, html } from './html.ts'
import { code, counted, facts, fitting, table, timeCell } from './parts.ts'
import { largest, type Totals, type Use } from './totals.ts'
import { STATUS, WITHHELD } from './words.ts'

/** A policy has few permissions. More than these come from many policies. */
const MAX_USES = 100
const MAX_BYTES = 400_000

export function access(context: PageContext): Content {
  const uses = [...context.totals.uses].sort((a, b) => b.last - a.last)
  if (uses.length === 0) return html`<p>No key was released.</p>`
  const shown = uses.slice(0, MAX_USES)
  return [
    table(
      'By recipient, data and purpose',
      [
        { title: 'Recipient' },
        { title: 'Data' },
        { title: 'Purpose' },
        { title: 'Releases', kind: 'number' },
        { title: 'Files', kind: 'number' },
        { title: 'Results', kind: 'number' },
        { title: 'From (UTC)' },
        { title: 'Until (UTC)' },
      ],
      shown.map((use) => [
        use.client,
        use.dataset,
        purposeText(use.purpose),
        numberText(use.releases),
        numberText(use.objects),
        numberText(use.statuses.get('visible') ?? 0),
        timeCell(use.first),
        timeCell(use.last),
      ]),
    ),
    uses.length > MAX_USES &&
      html`<p class="note">The ${MAX_USES} uses with the newest releases, of ${numberText(uses.length)}.</p>`,
    fitting(
      shown.map((use) => oneUse(use, context)),
      MAX_BYTES,
    ),
  ]
}

function oneUse(use: Use, context: PageContext): Html {
  const inForce = permissionIn(context.report, use)
  return html`<section class="use"><h3>${use.client} <span class="of">with</span> ${use.dataset}</h3>
${facts([
  ['Asked', asked(use, context.totals)],
  ['Granted', granted(use, inForce, context)],
  ['Delivered', delivered(use)],
  ['Withheld', withheld(use)],
])}${use.withheld.size > 0 && withheldBars(use)}</section>\n`
}

function asked(use: Use, { refusedTo }: Totals): Content {
  const { client, purpose } = use
  const refused = refusedTo.find((one) => one.client === client && one.purpose === purpose)?.count ?? 0
  return html`The keys to ${counted(use.objects, 'file')} in ${counted(use.releases, 'release')}, for ${purposeText(purpose)}. ${
    refused > 0 &&
    html`${counted(refused, 'further request')} of ${client} for this purpose ${refused === 1 ? 'was' : 'were'} <a href="#refusals">refused</a>.`
  }`
}

function granted(use: Use, inForce: PermissionInForce | undefined, { report }: PageContext): Content {
  if (inForce === undefined)
    return html`Permission ${code(use.permission)} of policy ${use.policySeq}, which is not in the collection: its terms are unknown.`
  const { dataset, permission } = inForce
  const { signers } = report.policies.find(({ seq }) => seq === use.policySeq) ?? { signers: [] }
  const scopes = scopesOf(permission)
  return [
    html`<p>Permission ${code(use.permission)}, edition ${permission.edition}, of policy ${use.policySeq}, signed by ${signers.join(' and ')}.</p>`,
    html`<p>${dataset.synthetic ? 'Synthetic data' : 'Real data'} of the population ${dataset.population}: the minimal view of ${counted(scopes.length, 'kind')} of records. ${
      permission.sensitive.length === 0
        ? 'Records of every sensitive category are withheld.'
        : html`Of the sensitive categories, these are <strong>included</strong>: ${permission.sensitive.join(', ')}.`
    }</p>`,
    html`<details><summary>Kinds of records</summary><p>${scopes.map((scope) => html`${code(scope)} `)}</p></details>`,
    html`<p>Computation ${code(permission.workload.name)}. Output ${permission.output.contentType} of at most ${bytesText(permission.output.maxBytes)}; ${disclosureText(permission.output)}.</p>`,
    html`<p>Machine: ${assuranceText(dataset)}.</p>`,
    isDisclosed(dataset) && html`<p class="limit">${disclosureSentence(dataset, use.client)}</p>`,
  ]
}

/** Expanded by the pinned list of types; as they are written, if a policy of another version has others. */
function scopesOf(permission: Permission): readonly string[] {
  try {
    return grantedTerms(permission).terms.scopes
  } catch (error) {
    if (error instanceof CodedError) return permission.scopes
    throw error
  }
}

function delivered({ statuses }: Use): Content {
  return html`<ul class="plain">${largest(statuses).map(([status, count]) => html`<li>${numberText(count)} × ${STATUS[status]}</li>`)}</ul>`
}

function withheld({ records, open, withheld: reasons }: Use): Content {
  if (open === 0)
    return 'By the filter inside the worker. How many records it read, kept and withheld is sealed to the provider’s audit key, and was not opened for this page.'
  return html`${numberText(records.withheld)} of ${numberText(records.read)} records, by the filter inside the worker${
    reasons.size > 0 && ' (below)'
  }. ${numberText(records.kept)} were used. From the sealed counts of ${counted(open, 'result')}.`
}

function withheldBars({ withheld: reasons, client, dataset }: Use): Html {
  return bars(
    `Records of ${dataset} withheld from ${client}, by reason`,
    'Reason',
    [{ name: 'Records', drawn: 'hatched' }],
    largest(reasons).map(([reason, count]) => ({
      label: html`${WITHHELD.get(reason) ?? reason} <span class="of">(${reason})</span>`,
      values: [count],
    })),
  )
}
