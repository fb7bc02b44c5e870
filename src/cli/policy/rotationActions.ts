/** `policy rotate` and `policy root`: from options to work and output. */
import { systemClock } from '#adapters/system/clock.ts'
import { createFile, readFileUpTo, replaceFile } from '#adapters/system/files.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { columns } from '#cli/textBlock.ts'
import { utf8 } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { P256Jwk, P384Jwk, SigningJwk, thumbprint } from '#core/jwk.ts'
import type { QuorumRoot } from '#core/jws.ts'
import { TERMS } from '#core/policy/terms.ts'
import { TrustAnchors } from '#core/release/trust.ts'
import { diffPolicies } from './diff.ts'
import { renderDiff } from './diffText.ts'
import { renewed } from './form.ts'
import { atBench } from './governance.ts'
import { wrapNewIdKey } from './identityKey.ts'
import { daysOf, ifGiven, readJson, readKey } from './initOptions.ts'
import { lostWith, rotated } from './rotation.ts'

const MAX_CONFIG_BYTES = 1024 * 1024
const Root = TrustAnchors.shape.providerRoot

type RotateOptions = {
  readonly config: string
  readonly out: string
  readonly days: string
  readonly dataset?: string
  readonly client?: string
  readonly sealingKey?: string
  readonly keyId?: string
  readonly identityKey?: string
  readonly consentKey?: string
  readonly consentVaultKey?: string
  readonly clientKey?: string
  readonly recipient?: string
  readonly auditKey?: string
  readonly drop: readonly string[]
  readonly excludeSigner: readonly string[]
  readonly json?: boolean
}
type RootOptions = {
  readonly from?: string
  readonly signer: readonly string[]
  readonly threshold?: string
  readonly into?: readonly string[]
  readonly json?: boolean
}

export function createRotationActions({ terminal }: CommandContext) {
  return {
    rotate: (options: RotateOptions) =>
      atBench({ config: options.config, command: 'policy rotate' }, async ({ look, services, pin }) => {
        const { inForce, candidates } = await look()
        const before = inForce.policy?.document?.content
        if (before === undefined)
          throw new CodedError('policy.unsuitable', inForce.policy?.problem || 'no policy is in force')
        const dataset = options.dataset ?? before.datasets[0]?.id ?? ''
        const next = rotated(
          before,
          {
            dataset: options.dataset,
            client: options.client,
            sealingKey: await ifGiven(options.sealingKey, (path) => readKey(path, SigningJwk)),
            keyId: options.keyId,
            idKey: await ifGiven(options.identityKey, (keyId) =>
              wrapNewIdKey(services.keyVault(), keyId, { tenant: before.tenant, dataset }),
            ),
            consentKey: await ifGiven(options.consentKey, (path) => readKey(path, SigningJwk)),
            consentVaultKey: options.consentVaultKey,
            clientKey: await ifGiven(options.clientKey, (path) => readKey(path, P384Jwk)),
            recipient: await ifGiven(options.recipient, (path) => readJson(path, TERMS.recipient)),
            auditKey: await ifGiven(options.auditKey, (path) => readKey(path, P256Jwk)),
            drop: options.drop,
            exclude: options.excludeSigner,
          },
          pin.root,
        )
        const policy = renewed(next, { now: systemClock.now(), days: daysOf(options.days) })
        await createFile(options.out, [utf8(`${JSON.stringify(policy, undefined, 2)}\n`)], { mode: 0o644 })
        for (const loss of lostWith(policy.excludedSigners, candidates, inForce, pin.root))
          terminal.warn(`--exclude-signer: ${loss}`)
        const changes = diffPolicies(before, policy)
        if (options.json === true) terminal.printJson({ file: options.out, seq: policy.seq, changes })
        else terminal.print(`${renderDiff(before, policy, changes)}\nnext       policy sign ${options.out}\n`)
      }),

    root: async ({ from, signer, threshold, into = [], json }: RootOptions) => {
      const before = from === undefined ? undefined : rootIn(await readObject(from), from)
      const added = await Promise.all(signer.map(readSigner))
      const root = checkRoot({
        keys: [...(before?.keys ?? []), ...added],
        threshold: threshold === undefined ? (before?.threshold ?? 2) : Number(threshold),
      })
      for (const path of into) await putRoot(path, root)
      if (into.length === 0 || json === true) terminal.print(`${JSON.stringify(root)}\n`)
      else
        terminal.print(
          `${columns(root.keys.map(({ person, jwk }) => [person, thumbprint(jwk)]))}\n${root.threshold} of them sign; in ${into.join(', ')}\n`,
        )
    },
  }
}

/** Throws `usage.invalid`. The schema leaves out what two fields say together. */
function checkRoot(value: QuorumRoot): QuorumRoot {
  const root = checkShape(Root, value, 'the root', 'usage.invalid', 'operator')
  const kids = new Set(root.keys.map(({ jwk }) => thumbprint(jwk)))
  if (kids.size < root.keys.length) throw new CodedError('usage.invalid', '--signer: a key is there twice')
  const persons = new Set(root.keys.map(({ person }) => person))
  if (persons.size >= root.threshold) return root
  throw new CodedError(
    'usage.invalid',
    `--threshold is ${root.threshold}, expected at most ${persons.size}, the number of persons`,
  )
}

async function readSigner(text: string): Promise<QuorumRoot['keys'][number]> {
  const [, person = '', path = ''] = /^([^=]{1,64})=(.+)$/.exec(text) ?? []
  if (person === '')
    throw new CodedError('usage.invalid', `--signer is ${JSON.stringify(text)}, expected PERSON=FILE`)
  return { person, jwk: await readKey(path, SigningJwk) }
}

type JsonObject = Readonly<Record<string, unknown>>

function rootIn(value: JsonObject, path: string): QuorumRoot {
  const { providerRoot } = placeIn(value, path)
  return checkShape(Root, providerRoot, `${path}: providerRoot`, 'config.invalid', 'operator')
}

/** Everything else in the file stays as it is. */
async function putRoot(path: string, root: QuorumRoot): Promise<void> {
  const config = await readObject(path)
  const place = { ...placeIn(config, path), providerRoot: root }
  const next = 'providerRoot' in config ? place : { ...config, trust: place }
  await replaceFile(path, `${JSON.stringify(next, undefined, 2)}\n`)
}

/** A Verifier has the root at the top, everyone else in `trust`. */
function placeIn(config: JsonObject, path: string): JsonObject {
  for (const place of [config, config['trust']]) if (isObject(place) && 'providerRoot' in place) return place
  throw new CodedError('config.invalid', `${path} has no providerRoot`)
}

async function readObject(path: string): Promise<JsonObject> {
  const bytes = await readFileUpTo(path, MAX_CONFIG_BYTES, 'input.unreadable')
  const value = under('config.invalid', () => parseJson(bytes, path))
  if (isObject(value)) return value
  throw new CodedError('config.invalid', `${path} is no configuration`)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
