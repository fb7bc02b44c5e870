/** Verifier keys and revocation lists in plain words. */
import { labelled, wrap } from '#cli/textBlock.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Revocation, Revoked } from '#core/policy/revocation.ts'
import type { VerifierKeys } from '#core/policy/verifierKeys.ts'
import { timeText } from './words.ts'

const WIDTH = 18

export function sayVerifierKeys(keys: VerifierKeys, before: VerifierKeys | undefined): string {
  const { seq, tenant, audience, issuedAt, exp } = keys
  const compared = (now: string, old: string | undefined) =>
    old === undefined || old === now ? now : `${now}\nin place of ${old}`
  const caOf = ({ grantCa }: VerifierKeys) => `${grantCa.keyId} (${thumbprint(grantCa.jwk)})`
  const freshnessOf = ({ freshnessKey }: VerifierKeys) => thumbprint(freshnessKey)
  return `${[
    wrap(`Verifier keys ${seq} of ${tenant}, for the Verifiers of ${audience}.`),
    labelled('in force', `${timeText(issuedAt)} until ${timeText(exp)}`, WIDTH),
    labelled('grants, by', compared(caOf(keys), before && caOf(before)), WIDTH),
    labelled('freshness, by', compared(freshnessOf(keys), before && freshnessOf(before)), WIDTH),
  ].join('\n')}\n`
}

const REVOKED: Readonly<Record<keyof Revoked, string>> = {
  permissions: 'permissions',
  referenceValues: 'reference values',
  boots: 'boots of workers',
  objects: 'sealed files',
}

export function sayRevocation(list: Revocation, inForce: Revoked): string {
  const { seq, tenant, replaces } = list
  const fields = Object.entries(REVOKED) as [keyof Revoked, string][]
  const rows = fields.flatMap(([field, label]) => {
    const back = replaces.length === 0 ? [] : inForce[field].filter((id) => !list[field].includes(id))
    return [
      ...(list[field].length === 0 ? [] : [labelled(label, wrap(list[field].join(' ')), WIDTH)]),
      ...(back.length === 0
        ? []
        : [
            labelled('', wrap(`NO LONGER revoked, unless another list names them: ${back.join(' ')}`), WIDTH),
          ]),
    ]
  })
  const head =
    replaces.length === 0
      ? `Revocation list ${seq} of ${tenant}. One signature puts it in force, and only a quorum takes it back.`
      : `Revocation list ${seq} of ${tenant} REPLACES ${replaces.length} lists. It needs the quorum.`
  return `${[wrap(head), ...(rows.length === 0 ? ['It revokes nothing.'] : rows)].join('\n')}\n`
}
