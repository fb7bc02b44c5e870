/** Consent lists in plain words. None of it says who has withdrawn. */
import { timeText } from '#cli/policy/words.ts'
import { formatBytes } from '#cli/terminal.ts'
import { labelled, wrap } from '#cli/textBlock.ts'
import type { Consent } from '#core/policy/consent.ts'
import { MAX_LISTS } from '#core/policy/consentUnion.ts'
import type { DatasetConsent } from './lists.ts'

const WIDTH = 12

export function sayConsent({ seq, dataset, replaces, list }: Consent): string {
  const head =
    replaces.length === 0
      ? `Consent list ${seq} of ${dataset}. The patients in it are withheld from the next release on.`
      : `Consent list ${seq} of ${dataset} REPLACES ${replaces.length} lists. Whoever is in those and not in this one is no longer withheld. It needs the quorum.`
  return `${[
    wrap(head),
    wrap(
      `The list is sealed (${list.id}, ${formatBytes(list.bytes)}): who is in it, only a holder of its Vault key can ask (consent check).`,
    ),
  ].join('\n')}\n`
}

export function renderConsent({ dataset, policy, lists }: DatasetConsent): string {
  const rows = lists.inForce.map(
    ({ seq, issuedAt, replaces, list }) =>
      `  ${String(seq).padStart(6)}  ${timeText(issuedAt)}  ${formatBytes(list.bytes).padStart(9)}${replaces.length === 0 ? '' : `  replaces ${replaces.length}`}`,
  )
  return [
    labelled('dataset', dataset, WIDTH),
    labelled('keys', `${policy.keys.length} may withdraw patients`, WIDTH),
    labelled('lists', `${rows.length} in force, of at most ${MAX_LISTS}`, WIDTH),
    ...rows,
    labelled(
      'releases',
      lists.problem === ''
        ? 'withhold what is of the patients in these lists'
        : wrap(`NOTHING is released: ${lists.problem}`),
      WIDTH,
    ),
    '',
  ].join('\n')
}
