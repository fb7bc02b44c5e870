/** From the options of `revoke` and `restore` to lists and output. */
import { systemClock } from '#adapters/system/clock.ts'
import { createFile } from '#adapters/system/files.ts'
import { openDocument } from '#cli/policy/documents.ts'
import { atBench, type Bench, openKey } from '#cli/policy/governance.ts'
import { addSignature, excludedIn, publishDocument } from '#cli/policy/signing.ts'
import { expectAgreement, secondsOf, warnUnstated } from '#cli/policy/signingActions.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { boot, name, sealId } from '#core/fields.ts'
import type { Candidates, Governance } from '#core/policy/inForce.ts'
import type { Revocation, Revoked } from '#core/policy/revocation.ts'

type IdOptions = {
  readonly config: string
  readonly permission: readonly string[]
  readonly reference: readonly string[]
  readonly boot: readonly string[]
  readonly sealId: readonly string[]
  readonly json?: boolean
}
type Ids = { readonly [Field in keyof Revoked]: readonly string[] }

const NOTHING: Revoked = { permissions: [], referenceValues: [], boots: [], objects: [] }
const FIELDS = ['permissions', 'referenceValues', 'boots', 'objects'] as const

export function createActions({ terminal }: CommandContext) {
  return {
    revoke: (options: IdOptions & { readonly key: string; readonly yes?: boolean; readonly wait: string }) =>
      atBench({ config: options.config, command: 'revoke' }, async (bench) => {
        const ids = idsOf(options)
        const { inForce, candidates } = await bench.look()
        expectKnown(ids, inForce)
        const signer = await openKey(options.key, bench, excludedIn(inForce))
        const list = { ...nextList(bench, candidates), ...copy(ids) }
        const draft = openDocument({ value: list, signed: undefined, path: 'revoke' }, bench.config)
        if (options.json !== true) terminal.print(`${draft.text(inForce)}\n`)
        if (options.yes !== true) await expectAgreement(`Revoke this as ${signer.person}?`)
        const signed = await addSignature(draft, signer)
        const document = openDocument({ value: list, signed, path: 'revoke' }, bench.config)
        const published = await publishDocument(document, bench, secondsOf(options.wait))
        warnUnstated(published.stated, bench, terminal.warn)
        if (options.json === true) terminal.printJson({ seq: list.seq, ...published, ...ids })
        else terminal.print(`revoked    ${published.name} by ${signer.person}\n`)
      }),

    restore: (options: IdOptions & { readonly out: string }) =>
      atBench({ config: options.config, command: 'restore' }, async (bench) => {
        const ids = idsOf(options)
        const { inForce, candidates } = await bench.look()
        const list = restoringList(ids, bench, { inForce, candidates })
        const draft = openDocument({ value: list, signed: undefined, path: options.out }, bench.config)
        await createFile(options.out, [utf8(`${JSON.stringify(list, undefined, 2)}\n`)], { mode: 0o644 })
        const { replaces, seq } = list
        if (options.json === true) terminal.printJson({ file: options.out, seq, replaces })
        else terminal.print(`${draft.text(inForce)}\nnext       policy sign ${options.out}, by the quorum\n`)
      }),
  }
}

/** Throws `usage.invalid` for none, or for one that is not of its form. */
function idsOf(options: IdOptions): Ids {
  const rows = [
    { option: '--permission', field: name, ids: options.permission },
    { option: '--reference', field: name, ids: options.reference },
    { option: '--boot', field: boot, ids: options.boot },
    { option: '--seal-id', field: sealId, ids: options.sealId },
  ]
  for (const { option, field, ids } of rows)
    for (const id of ids) {
      const { error } = field.safeParse(id)
      if (error !== undefined)
        throw new CodedError(
          'usage.invalid',
          `${option} is ${JSON.stringify(id)}: it ${error.issues[0]?.message}`,
        )
    }
  if (rows.every(({ ids }) => ids.length === 0))
    throw new CodedError(
      'usage.invalid',
      `nothing is named: give ${rows.map(({ option }) => option).join(', ')}`,
    )
  const { permission: permissions, reference: referenceValues, boot: boots, sealId: objects } = options
  return { permissions, referenceValues, boots, objects }
}

/** Without a policy in force nothing can be compared, and nothing can be released either. */
function expectKnown(ids: Ids, { policy }: Governance): void {
  const content = policy?.document?.content
  if (content === undefined) return
  const known = {
    permissions: content.datasets.flatMap(({ permissions }) => permissions.map(({ id }) => id)),
    referenceValues: content.referenceValues.map(({ id }) => id),
  }
  for (const field of ['permissions', 'referenceValues'] as const) {
    const unknown = ids[field].find((id) => !known[field].includes(id))
    if (unknown !== undefined)
      throw new CodedError(
        'policy.unsuitable',
        `${unknown} is not in the policy in force; its ${field} are ${known[field].join(', ')}`,
      )
  }
}

/** A list of the next number, which revokes nothing yet. */
function nextList({ pin }: Pick<Bench, 'pin'>, { revocations }: Candidates): Revocation {
  const seq = Math.max(0, ...revocations.map((list) => list.seq)) + 1
  return { v: 1, seq, ...pin.deployment, issuedAt: systemClock.now(), replaces: [], ...copy(NOTHING) }
}

/** Throws `policy.unsuitable` for what is not revoked. */
function restoringList(
  ids: Ids,
  bench: Pick<Bench, 'pin'>,
  { inForce, candidates }: { readonly inForce: Governance; readonly candidates: Candidates },
): Revocation {
  for (const field of FIELDS)
    for (const id of ids[field])
      if (!inForce.revocation[field].includes(id))
        throw new CodedError('policy.unsuitable', `${id} is not revoked, so nothing restores it`)
  const { tenant, audience } = bench.pin.deployment
  const replaced = candidates.revocations.filter(
    ({ content, ...list }) =>
      list.tenant === tenant &&
      list.audience === audience &&
      FIELDS.some((field) => ids[field].some((id) => content?.[field].includes(id))),
  )
  const kept = (field: keyof Revoked) => [
    ...new Set(
      replaced
        .flatMap(({ content }) => content?.[field] ?? [])
        .filter((id) => !ids[field].includes(id) && inForce.revocation[field].includes(id)),
    ),
  ]
  return {
    ...nextList(bench, candidates),
    replaces: replaced.map(({ digest }) => digest),
    permissions: kept('permissions'),
    referenceValues: kept('referenceValues'),
    boots: kept('boots'),
    objects: kept('objects'),
  }
}

function copy({ permissions, referenceValues, boots, objects }: Ids): Revoked {
  return {
    permissions: [...permissions],
    referenceValues: [...referenceValues],
    boots: [...boots],
    objects: [...objects],
  }
}
