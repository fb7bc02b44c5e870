/** From the options of `consent` to lists and output. */
import { createFile } from '#adapters/system/files.ts'
import { atBench, type Bench, signerOf } from '#cli/policy/governance.ts'
import { excludedIn } from '#cli/policy/signing.ts'
import { expectAgreement, secondsOf, warnUnstated } from '#cli/policy/signingActions.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type Consent, consentDigest, consentKind } from '#core/policy/consent.ts'
import { signDocument } from '#core/policy/document.ts'
import type { Governance } from '#core/policy/inForce.ts'
import { expectPatients, patientsIn } from './ids.ts'
import { consentOf, type DatasetConsent, newList, readPatients } from './lists.ts'
import { renderConsent, sayConsent } from './text.ts'

type Common = { readonly config: string; readonly dataset: string; readonly json?: boolean }
type Signing = Common & { readonly key: string; readonly yes?: boolean; readonly wait: string }
type Patients = { readonly patient: readonly string[] }

export function createActions({ terminal, exit }: CommandContext) {
  const at = <T>(name: string, { config }: Common, work: (bench: Bench) => Promise<T>) =>
    atBench({ config, command: `consent ${name}` }, work)

  /** Signs by one consent key, publishes, and waits for the statement. */
  const publish = async (patients: ReadonlySet<string>, bench: Bench, options: Signing, question: string) => {
    const { inForce, candidates } = await bench.look()
    const consent = consentOf(options.dataset, inForce)
    const signer = await consentSigner(options.key, consent, bench, inForce)
    if (options.yes !== true) await expectAgreement(question)
    const list = await newList(patients, consent, bench, candidates)
    const { name, signed } = await signDocument(consentKind(list.dataset), list, [signer])
    await bench.create(name, signed)
    const known = await expectKnown(list, name, bench)
    const stated = await bench.awaitStatement(
      ({ consent: named }) => (named[list.dataset]?.seq ?? 0) >= known.lists.seq,
      secondsOf(options.wait),
    )
    warnUnstated(stated, bench, terminal.warn)
    if (options.json === true)
      terminal.printJson({
        seq: list.seq,
        name,
        patients: patients.size,
        lists: known.lists.inForce.length,
        stated,
      })
    else terminal.print(`published  ${name}\nlists      ${known.lists.inForce.length} in force\n`)
  }

  return {
    start: (options: Signing) =>
      at('start', options, async (bench) => {
        const { lists } = consentOf(options.dataset, (await bench.look()).inForce)
        if (lists.inForce.length > 0)
          throw new CodedError(
            'policy.unsuitable',
            `${options.dataset} has ${lists.inForce.length} lists already`,
          )
        await publish(new Set(), bench, options, `Publish an empty first list for ${options.dataset}?`)
      }),

    withdraw: async (file: string | undefined, options: Signing & Patients) => {
      const patients = await patientsIn(file, options.patient)
      expectPatients(patients)
      const question = `Withdraw ${patients.size} patients from ${options.dataset}?`
      await at('withdraw', options, (bench) => publish(patients, bench, options, question))
    },

    restore: async (file: string | undefined, options: Common & Patients & { readonly out: string }) => {
      const restored = await patientsIn(file, options.patient)
      await at('restore', options, async (bench) => {
        const { inForce, candidates } = await bench.look()
        const consent = consentOf(options.dataset, inForce)
        const before = await readPatients(consent, bench)
        const unknown = [...restored].filter((id) => !before.has(id)).length
        if (unknown > 0)
          throw new CodedError(
            'policy.unsuitable',
            `${unknown} of the ${restored.size} patients have not withdrawn, so nothing restores them`,
          )
        const left = [...before].filter((id) => !restored.has(id))
        const replaces = consent.lists.inForce.map(consentDigest)
        const list = await newList(left, consent, bench, candidates, replaces)
        const { out } = options
        await createFile(out, [utf8(`${JSON.stringify(list, undefined, 2)}\n`)], { mode: 0o644 })
        if (options.json === true)
          terminal.printJson({
            file: out,
            seq: list.seq,
            restored: restored.size,
            left: left.length,
            replaces,
          })
        else
          terminal.print(
            `${sayConsent(list)}restored   ${restored.size} patients; ${left.length} stay withdrawn\nnext       policy sign ${out}, by the quorum\n`,
          )
      })
    },

    check: async (file: string | undefined, options: Common & Patients) => {
      const patients = await patientsIn(file, options.patient)
      expectPatients(patients)
      await at('check', options, async (bench) => {
        const consent = consentOf(options.dataset, (await bench.look()).inForce)
        const withdrawn = await readPatients(consent, bench)
        const found = [...patients].filter((id) => withdrawn.has(id)).length
        if (options.json === true)
          terminal.printJson({ asked: patients.size, withdrawn: found, lists: consent.lists.inForce.length })
        else terminal.print(`withdrawn  ${found} of ${patients.size}\n`)
        if (found < patients.size) exit(1)
      })
    },

    list: (options: Common) =>
      at('list', options, async (bench) => {
        const consent = consentOf(options.dataset, (await bench.look()).inForce)
        const { lists } = consent
        if (options.json === true)
          terminal.printJson({
            dataset: options.dataset,
            seq: lists.seq,
            digest: lists.digest,
            problem: lists.problem,
            lists: lists.inForce.map(({ seq, issuedAt, replaces, list: { id, bytes } }) => ({
              seq,
              issuedAt,
              replaces: replaces.length,
              id,
              bytes,
            })),
          })
        else terminal.print(renderConsent(consent))
        if (lists.problem !== '') exit(1)
      }),
  }
}

/** Throws `signer.unusable`, `signer.unknown`. */
async function consentSigner(
  key: string,
  { dataset, policy }: DatasetConsent,
  bench: Bench,
  inForce: Governance,
): Promise<Signer> {
  const signer = await signerOf(key, bench)
  const kid = thumbprint(signer.jwk)
  if (!policy.keys.some((jwk) => thumbprint(jwk) === kid))
    throw new CodedError('signer.unknown', `--key: the key ${kid} is no consent key of ${dataset}`)
  if (excludedIn(inForce).includes(kid))
    throw new CodedError('signer.unknown', `--key: the key ${kid} is excluded by the policy`)
  return signer
}

/** A list that storage does not show yet is not in force. */
async function expectKnown(list: Consent, name: string, bench: Bench): Promise<DatasetConsent> {
  const { inForce } = await bench.look()
  const consent = consentOf(list.dataset, inForce)
  if (consent.lists.inForce.some(({ list: { id } }) => id === list.list.id)) return consent
  const reason = inForce.ignored.find((object) => object.name === name)?.reason
  throw new CodedError(
    'policy.unsuitable',
    `${name} is published and not in force: ${reason ?? 'it is not listed'}`,
  )
}
