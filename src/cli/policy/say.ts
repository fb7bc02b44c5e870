/**
 * A policy in plain words, for the person who answers for it: who gets which data for what, under which rules,
 * until when, on which machines, and what is not allowed. Keys are named by thumbprint. Bits of the platform
 * and the guest policy beyond debugging and migration are left to `policy diff` and the file.
 */
import { labelled, wrap } from '#cli/textBlock.ts'
import type { AnyOr } from '#core/appraisal/reference.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import {
  assuranceText,
  bytesText,
  disclosureSentence,
  disclosureText,
  isDisclosed,
  listText,
  numberText,
  permissionsOf,
  purposeText,
  quotaText,
  timeText,
} from './words.ts'

const WIDTH = 14

/** The policy loads (`policyProblems` is empty). */
export function sayPolicy(policy: Policy): string {
  const permissions = permissionsOf(policy)
  return `${[
    heading(policy),
    'WHO MAY HAVE WHAT',
    ...(permissions.length === 0
      ? ['No one may have anything: the policy has no permission.']
      : permissions.map(({ dataset, permission }, index) => permissionText(index + 1, dataset, permission))),
    'ON WHICH MACHINES',
    ...policy.referenceValues.map(machineText),
    'WHAT IS NOT ALLOWED',
    notAllowed(policy).map(item).join('\n'),
  ].join('\n\n')}\n`
}

function heading({ seq, tenant, audience, issuedAt, expiresAt, simulation }: Policy): string {
  const lines = [
    `Policy ${seq} of ${tenant}, for the Verifiers of ${audience}.`,
    `In force from ${timeText(issuedAt)} until ${timeText(expiresAt)}, or until a policy with a higher number replaces it.`,
  ]
  if (simulation)
    lines.push('SIMULATION: it trusts emulated processors. Nothing is confidential; all data is synthetic.')
  return lines.map(wrap).join('\n')
}

function permissionText(index: number, dataset: Dataset, permission: Permission): string {
  const { id, client, purpose, workload, output, recipient, edition, quota, notBefore, notAfter } = permission
  const { scopes } = grantedTerms(permission).terms
  const sensitive = permission.sensitive
  return [
    wrap(`${index}. ${client} may use ${dataset.id} for ${purposeText(purpose)}`),
    ...(isDisclosed(dataset) ? [wrap(disclosureSentence(dataset, client))] : []),
    ...rows([
      ['permission', id],
      [
        'data',
        `${dataset.synthetic ? 'synthetic data' : 'REAL data'} of the population ${dataset.population}`,
      ],
      [
        'reads',
        `the minimal view of ${numberText(scopes.length)} kinds of records and no others: ${scopes.join(' ')}`,
      ],
      [
        'sensitive',
        sensitive.length === 0
          ? 'records of every sensitive category are withheld'
          : `INCLUDED: ${listText(sensitive)}; every other sensitive category is withheld`,
      ],
      [
        'withdrawn',
        dataset.consent === null
          ? 'no one is withheld: the dataset has no consent lists'
          : `patients in the consent lists are withheld; ${dataset.consent.keys.length} keys may add to them`,
      ],
      ['computes', `${workload.name} (${workload.digest}), without parameters`],
      ['gets', `${output.contentType} of at most ${bytesText(output.maxBytes)}; ${disclosureText(output)}`],
      ['opened by', `${recipient.keyId} (${thumbprint(recipient.jwk)})`],
      ['how often', `at most ${quotaText(quota)}`],
      ['edition', `${edition}: the same question about the same files has one answer`],
      ['when', `${timeText(notBefore)} until ${timeText(notAfter)}`],
      ['machine', assuranceText(dataset)],
    ]),
  ].join('\n')
}

function machineText(reference: PolicyReference): string {
  const { id, assurance, notBefore, notAfter, measurements, trust, processors, firmware, guestPolicy } =
    reference
  return [
    `${id} (${assurance}), ${timeText(notBefore)} until ${timeText(notAfter)}`,
    ...rows([
      ['launches', listText(measurements)],
      ['worker', `configured as ${listText(trust)}`],
      [
        'processors',
        processors
          .map(
            ({ product, family, model, stepping, floor }) =>
              `${product} ${family}/${model}/${stepping} from SNP ${floor.snp}, microcode ${floor.microcode}`,
          )
          .join('; '),
      ],
      ['firmware', `from ${firmware.major}.${firmware.minor}.${firmware.build}`],
      ['chips', anyText(reference.chips, 'chip')],
      ['debugging', allowedText(guestPolicy.debug)],
      ['migration', allowedText(guestPolicy.migrateMa)],
    ]),
  ].join('\n')
}

function notAllowed(policy: Policy): readonly string[] {
  const { datasets, clients, excludedSigners, roots } = policy
  const used = new Set(permissionsOf(policy).map(({ permission }) => permission.client))
  const unused = clients.filter(({ id }) => !used.has(id)).map(({ id }) => id)
  const closed = datasets.filter(({ permissions }) => permissions.length === 0).map(({ id }) => id)
  return [
    'Everything that is not listed above. No client can widen, narrow or vary its question.',
    ...closed.map((id) => `${id}: no one may use it.`),
    ...datasets.map(
      ({ id, notSealedBefore }) => `${id}: no file that was sealed before ${timeText(notSealedBefore)}.`,
    ),
    ...unused.map((id) => `${id}: it is known and has no permission.`),
    `Machines under other roots than ${listText(roots.map(({ product, ark, simulated }) => `${product} ${ark}${simulated ? ' (SIMULATED)' : ''}`))}.`,
    ...excludedSigners.map((kid) => `A policy or revocation by the signer's key ${kid}: it is excluded.`),
  ]
}

function rows(all: readonly (readonly [string, string])[]): readonly string[] {
  return all.map(([label, value]) => labelled(`   ${label}`, wrap(value), WIDTH + 3))
}

function item(text: string): string {
  return labelled('-', wrap(text), 2)
}

function anyText(values: AnyOr, what: string): string {
  return values === 'any' ? `any ${what}` : `${values.length} listed`
}

function allowedText(rule: 'required' | 'forbidden' | 'any'): string {
  return rule === 'forbidden' ? 'forbidden' : 'NOT forbidden: the host can read the machine'
}
