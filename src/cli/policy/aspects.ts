/**
 * What can change between two policies, in a table: how to read it, how to say it, and in which direction it
 * lets more out. A field without a row of its own is compared whole by `REST` in diff.ts, so no change goes
 * unsaid.
 */
import { canonicalText } from '#core/canonical.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { bytesText, numberText, timeText } from './words.ts'

/** `more`: a higher number, or one element more, lets more out. `less`: the opposite. */
export type Wider = 'more' | 'less' | 'unclear'

/** A number, a set of texts, or one text. */
export type Value = number | string | readonly string[]

export type Aspect<T> = {
  readonly label: string
  /** The fields that it speaks for. */
  readonly fields: readonly (keyof T)[]
  readonly of: (it: T) => Value
  readonly wider: Wider
  readonly show?: (value: number) => string
}

export const POLICY_ASPECTS: readonly Aspect<Policy>[] = [
  { label: 'tenant', fields: ['tenant'], of: (it) => it.tenant, wider: 'unclear' },
  { label: 'audience', fields: ['audience'], of: (it) => it.audience, wider: 'unclear' },
  { label: 'begins', fields: ['issuedAt'], of: (it) => it.issuedAt, wider: 'less', show: timeText },
  { label: 'ends', fields: ['expiresAt'], of: (it) => it.expiresAt, wider: 'more', show: timeText },
  {
    label: 'simulation',
    fields: ['simulation'],
    of: ({ simulation }) => (simulation ? ['on'] : []),
    wider: 'more',
  },
  { label: 'excluded signers', fields: ['excludedSigners'], of: (it) => it.excludedSigners, wider: 'less' },
  {
    label: 'trusted roots',
    fields: ['roots'],
    of: ({ roots }) =>
      roots.map(({ product, ark, simulated }) => `${product} ${ark}${simulated ? ' (simulated)' : ''}`),
    wider: 'more',
  },
  {
    label: 'clients and their keys',
    fields: ['clients'],
    of: ({ clients }) => clients.flatMap(({ id, keys }) => keys.map((jwk) => `${id} ${thumbprint(jwk)}`)),
    wider: 'more',
  },
  { label: 'audit key', fields: ['auditKey'], of: ({ auditKey }) => thumbprint(auditKey), wider: 'unclear' },
  {
    label: 'populations',
    fields: ['populations'],
    of: ({ populations }) => populations.map((population) => population.id),
    wider: 'unclear',
  },
]

export const DATASET_ASPECTS: readonly Aspect<Dataset>[] = [
  { label: 'population', fields: ['population'], of: (it) => it.population, wider: 'unclear' },
  { label: 'data', fields: ['synthetic'], of: ({ synthetic }) => (synthetic ? [] : ['real']), wider: 'more' },
  {
    label: 'sealing keys',
    fields: ['sealingKeys'],
    of: ({ sealingKeys }) => sealingKeys.map(thumbprint),
    wider: 'more',
  },
  { label: 'Vault keys', fields: ['keyIds'], of: ({ keyIds }) => keyIds, wider: 'more' },
  {
    label: 'sealed from',
    fields: ['notSealedBefore'],
    of: ({ notSealedBefore }) => notSealedBefore,
    wider: 'less',
    show: timeText,
  },
  {
    label: 'consent keys and their Vault keys',
    fields: ['consent'],
    of: ({ consent }) => canonicalText(consent),
    wider: 'unclear',
  },
  { label: 'identity key', fields: ['idKey'], of: ({ idKey }) => canonicalText(idKey), wider: 'unclear' },
  {
    label: 'machines that prove',
    fields: ['assurance'],
    of: ({ assurance }) =>
      assurance.level === 'measured'
        ? []
        : [`only their platform, administered by the ${assurance.administeredBy}`],
    wider: 'more',
  },
]

export const PERMISSION_ASPECTS: readonly Aspect<Permission>[] = [
  { label: 'client', fields: ['client'], of: ({ client }) => client, wider: 'unclear' },
  { label: 'purpose', fields: ['purpose'], of: ({ purpose }) => purpose, wider: 'unclear' },
  {
    label: 'scopes',
    fields: ['scopes'],
    of: (permission) => grantedTerms(permission).terms.scopes,
    wider: 'more',
  },
  { label: 'sensitive categories', fields: ['sensitive'], of: (it) => it.sensitive, wider: 'more' },
  { label: 'table of sensitive codes', fields: ['codeTable'], of: (it) => it.codeTable, wider: 'unclear' },
  {
    label: 'workload',
    fields: ['workload'],
    of: ({ workload }) => `${workload.name} (${workload.digest})`,
    wider: 'unclear',
  },
  {
    label: 'result type',
    fields: ['output'],
    of: ({ output }) => output.contentType,
    wider: 'unclear',
  },
  {
    label: 'result size',
    fields: ['output'],
    of: ({ output }) => output.maxBytes,
    wider: 'more',
    show: bytesText,
  },
  {
    label: 'least persons in a shown count',
    fields: ['output'],
    of: ({ output: { disclosure } }) => (disclosure.form === 'exact' ? 1 : disclosure.k),
    wider: 'less',
  },
  {
    label: 'who opens the result',
    fields: ['recipient'],
    of: ({ recipient: { jwk, keyId, keyVersionId } }) => `${keyId} ${keyVersionId} ${thumbprint(jwk)}`,
    wider: 'unclear',
  },
  { label: 'quota window in hours', fields: ['quota'], of: ({ quota }) => quota.hours, wider: 'less' },
  {
    label: 'releases per window',
    fields: ['quota'],
    of: ({ quota }) => quota.releases,
    wider: 'more',
    show: numberText,
  },
  {
    label: 'files per window',
    fields: ['quota'],
    of: ({ quota }) => quota.objects,
    wider: 'more',
    show: numberText,
  },
  {
    label: 'bytes per window',
    fields: ['quota'],
    of: ({ quota }) => quota.bytes,
    wider: 'more',
    show: bytesText,
  },
  { label: 'begins', fields: ['notBefore'], of: (it) => it.notBefore, wider: 'less', show: timeText },
  { label: 'ends', fields: ['notAfter'], of: (it) => it.notAfter, wider: 'more', show: timeText },
]
