/**
 * What a hostile client can send in one request, by the threat of facts/key-release.md §6. Every other part of
 * the request is good, so each attack meets the one check that must stop it.
 */
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { fromBase64url, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import type { ErrorCode } from '#core/errors.ts'
import { exportJwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import { signAssertion } from '#core/release/assertion.ts'
import { mintNonce, nonceTime } from '#core/release/nonce.ts'
import type { ReleaseJob, ReleaseRequest } from '#core/release/request.ts'
import { RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { openAuthority } from '#lab/amd/authority.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { AMD_STATE, mint, testAuthority } from '../../amd.ts'
import { p256, p384, workerKeys } from '../../core/release/releaseWorld.ts'
import { id } from '../../lab/emulator/testEmulator.ts'
import { AUDIENCE, PLATFORM_MEASUREMENT } from '../deployment.ts'
import { ASKER, type WorkerChanges } from '../worker.ts'
import { bindAnew, GOOD, jobWith, type Scene } from './scene.ts'
import type { Threat } from './threats.ts'

export type Attack = {
  readonly threat: Threat
  readonly name: string
  readonly code: ErrorCode
  /**
   * `decided`: signed by the grant key, with an entry in the evidence. `turned away`: before the request is
   * authentic, so it is only counted.
   */
  readonly end: 'decided' | 'turned away'
  /** The Vault is asked, and refuses. */
  readonly vault?: 'asked'
  readonly play: (scene: Scene) => Played | Promise<Played>
}
type Played = { readonly jobs?: readonly ReleaseJob[]; readonly changes?: WorkerChanges }

const changes = (given: WorkerChanges) => (): Played => ({ changes: given })
/** An authentic report of another machine. */
const machine = (platform: Partial<PlatformInput>) => changes({ platform: { ...GOOD, ...platform } })
const asking =
  (request: (request: ReleaseRequest, scene: Scene) => ReleaseRequest | Promise<ReleaseRequest>) =>
  (scene: Scene): Played => ({ changes: { request: (good) => request(good, scene) } })
/** A nonce that the Verifier itself could have made, at another time or for another. */
const minted =
  (given: { readonly seconds?: number; readonly audience?: string; readonly epoch?: number }) =>
  ({ nonceKey }: Scene): Played => ({
    changes: {
      challenge: (challenge) => {
        const at = addSeconds(nonceTime(fromBase64url(challenge.nonce)), 0)
        const nonce = mintNonce(
          { ...nonceKey, epoch: nonceKey.epoch + (given.epoch ?? 0) },
          given.audience ?? AUDIENCE,
          toUnixSeconds(at + (given.seconds ?? 0)),
          randomBytes(16),
        )
        return { ...challenge, nonce: toBase64url(nonce) }
      },
    },
  })
/** An assertion of the client itself, bound by the report, of another time. */
const assertedAt = (seconds: number) =>
  asking(async (request, scene) => {
    const { nonce, wrapKey } = RuntimeDataFormat.decode(fromBase64url(request.runtimeData))
    const bytes = fromBase64url(nonce)
    const iat = toUnixSeconds(nonceTime(bytes) + seconds)
    const binding = { audience: AUDIENCE, nonce: bytes, wrapKey: thumbprint(wrapKey), iat, jti: hex(16) }
    const assertion = await signAssertion(ASKER, binding, scene.deployment.client)
    return await bindAnew(scene, request, { assertion })
  })
/** The good claims under another algorithm, bound by the report. */
const assertedBy = (alg: string, signature: (input: Buffer, scene: Scene) => Uint8Array) =>
  asking(async (request, scene) => {
    const [, claims = ''] = request.clientAssertion.split('.')
    const kid = thumbprint(scene.deployment.client.jwk)
    const input = `${toBase64url(canonicalBytes({ alg, kid, typ: 'JWT' }))}.${claims}`
    // Three parts, also for `none`, so that no check of the form stops it first.
    const assertion = `${input}.${toBase64url(signature(utf8(input), scene))}`
    return await bindAnew(scene, request, { assertion })
  })
const sealed =
  (make: (scene: Scene) => Promise<ReleaseJob>) =>
  async (scene: Scene): Promise<Played> => ({ jobs: [await make(scene)] })
const hex = (bytes: number) => toHex(randomBytes(bytes))
const milan = await testAuthority('Milan')
/** Made once per machine: its RSA keys take seconds. */
const attackersAmd = () => openAuthority(`${AMD_STATE}-attacker`, 'Genoa')
const old = { fmc: 0, bootloader: 10, tee: 0, snp: 27, microcode: 86 }

const decided = (
  threat: Threat,
  rows: readonly (readonly [name: string, code: ErrorCode, play: Attack['play']])[],
): readonly Attack[] => rows.map(([name, code, play]) => ({ threat, name, code, end: 'decided', play }))
const turnedAway = (
  threat: Threat,
  rows: readonly (readonly [name: string, code: ErrorCode, play: Attack['play']])[],
): readonly Attack[] => rows.map(([name, code, play]) => ({ threat, name, code, end: 'turned away', play }))

export const ATTACKS: readonly Attack[] = [
  ...decided('replay of old evidence', [
    ['a recorded request, byte for byte', 'nonce.spent', asking((_, { recorded }) => recorded)],
  ]),
  ...turnedAway('replay of old evidence', [
    [
      'a recorded report under a new nonce',
      'report.data-mismatch',
      asking((request, { recorded: { evidence } }) => ({ ...request, evidence })),
    ],
    [
      'a recorded report with its runtime data and a new assertion',
      'report.data-mismatch',
      asking((request, { recorded: { clientAssertion } }) => ({ ...request, clientAssertion })),
    ],
  ]),
  ...turnedAway('reused, predictable or chosen nonce', [
    [
      'a nonce that the client chose',
      'nonce.invalid',
      changes({
        challenge: (challenge) => {
          const chosen = Buffer.concat([fromBase64url(challenge.nonce).subarray(0, 13), randomBytes(48)])
          return { ...challenge, nonce: toBase64url(chosen) }
        },
      }),
    ],
    ['a genuine nonce of five minutes ago', 'nonce.expired', minted({ seconds: -301 })],
    ['a genuine nonce from the future', 'nonce.invalid', minted({ seconds: 120 })],
    ['a genuine nonce for another Verifier', 'nonce.invalid', minted({ audience: 'https://other.example' })],
    ['a genuine nonce of another epoch', 'nonce.invalid', minted({ epoch: 1 })],
  ]),
  ...turnedAway('relay to a genuine TEE elsewhere', [
    [
      'the report of a TEE that meant another Verifier',
      'report.data-mismatch',
      asking((request, scene) => bindAnew(scene, request, { runtimeData: { aud: 'https://other.example' } })),
    ],
    [
      "the attacker's wrap key under the report of a genuine TEE",
      'report.data-mismatch',
      asking((request) => {
        const data = RuntimeDataFormat.decode(fromBase64url(request.runtimeData))
        const { wrapKey } = workerKeys()
        return { ...request, runtimeData: toBase64url(RuntimeDataFormat.encode({ ...data, wrapKey })) }
      }),
    ],
    [
      'the boot of a worker whose public key he knows',
      'possession.invalid',
      changes({ evidenceSigner: { ...workerKeys().evidenceSigner, jwk: workerKeys().evidenceKey } }),
    ],
  ]),
  ...decided('cuckoo: a genuine machine of the attacker', [
    ['the approved image on his own chip', 'chip.unknown', machine({ hardwareId: '7e'.repeat(64) })],
    ['a report by the key of a cloud', 'signing-key.excluded', machine({ signingKey: 'vlek' })],
    ['his own software', 'measurement.unknown', machine({ measurement: 'c7'.repeat(48) })],
    ['his own ID block', 'id-key.unknown', machine({ idKeyDigest: 'c2'.repeat(48) })],
  ]),
  ...turnedAway('cuckoo: a genuine machine of the attacker', [
    ['a chip without a name', 'chain.chip-mismatch', machine({ chipIdMasked: true })],
    [
      'a report under a root of his own',
      'chain.untrusted',
      asking(async (request, scene) => bindAnew(scene, request, { authority: await attackersAmd() })),
    ],
    [
      'the certificate of another product',
      'chain.product-mismatch',
      asking(({ evidence, ...request }) => {
        const { certs } = mint(milan, { product: 'Milan' })
        return { ...request, evidence: { ...evidence, certs: certs.map(toBase64url) } }
      }),
    ],
  ]),
  ...turnedAway('a key that nothing binds', [
    ['REPORT_DATA of zeros', 'report.data-mismatch', changes({ reportData: () => Buffer.alloc(64) })],
    [
      'no wrap key, bound by the report',
      'request.malformed',
      asking((request, scene) => bindAnew(scene, request, { runtimeData: { wrapKey: undefined } })),
    ],
    [
      'a wrap key that is not on its curve, bound by the report',
      'request.malformed',
      asking((request, scene) => {
        const zeros = toBase64url(Buffer.alloc(32, 1))
        const wrapKey = { kty: 'EC', crv: 'P-256', x: zeros, y: zeros }
        return bindAnew(scene, request, { runtimeData: { wrapKey } })
      }),
    ],
    [
      'an empty proof of possession',
      'request.malformed',
      asking((request) => ({ ...request, possession: '' })),
    ],
  ]),
  {
    threat: 'swap of wrapped keys or objects',
    name: 'the wrapped key of another object',
    code: 'key.unopened',
    end: 'decided',
    vault: 'asked',
    play: sealed(async ({ deployment, sealed: { header } }) => {
      return (await deployment.seal({ custody: header.custody })).job
    }),
  },
  ...decided('swap of wrapped keys or objects', [
    [
      'an object under the name of another',
      'object.misplaced',
      sealed(async ({ deployment, sealed: { job } }) => {
        const other = (await deployment.seal()).job.objects[0]?.header ?? ''
        return { ...job, objects: job.objects.map((object) => ({ ...object, header: other })) }
      }),
    ],
    [
      'a key of the Vault that is not of the dataset',
      'object.unsigned',
      sealed(async ({ deployment, sealed: { header } }) => {
        const custody = { ...header.custody, keyId: id('key', 'identity') }
        return (await deployment.seal({ custody })).job
      }),
    ],
    [
      "a header by the attacker's key",
      'object.unsigned',
      sealed(async ({ deployment }) => (await deployment.seal({}, keySigner(p384()))).job),
    ],
  ]),
  ...decided('keys of another tenant', [
    [
      'an object of another tenant',
      'permission.none',
      sealed(async ({ deployment }) => (await deployment.seal({ tenant: 'clinic' })).job),
    ],
    [
      'an object of another dataset',
      'permission.none',
      sealed(async ({ deployment }) => (await deployment.seal({ dataset: 'elsewhere' })).job),
    ],
    [
      'a purpose that was not permitted',
      'client.none',
      changes({ platform: GOOD, asker: { ...ASKER, purpose: 'HMARKT' } }),
    ],
    [
      'wider scopes',
      'scope.exceeded',
      changes({ platform: GOOD, asker: { ...ASKER, scope: 'system/*.rs' } }),
    ],
  ]),
  ...turnedAway('keys of another tenant', [
    ['the name of another client', 'assertion.invalid', changes({ asker: { ...ASKER, client: 'rival' } })],
    ["the client's name under his own key", 'assertion.invalid', changes({ signer: keySigner(p384()) })],
  ]),
  ...decided('rollback of the TCB', [
    ['old SNP firmware', 'tcb.below-floor', machine({ tcb: { ...old, snp: 22 } })],
    ['old microcode', 'tcb.below-floor', machine({ tcb: { ...old, microcode: 83 } })],
    [
      'a host that was updated after the launch',
      'tcb.below-floor',
      machine({ launchTcb: { ...old, snp: 22 } }),
    ],
    ['a TCB that can be taken back', 'tcb.below-floor', machine({ committedTcb: { ...old, snp: 22 } })],
    ['a provisional TCB', 'tcb.provisional', machine({ tcb: { ...old, snp: 26 }, currentTcb: old })],
    ['more in the report than runs', 'tcb.inconsistent', machine({ currentTcb: { ...old, snp: 26 } })],
    ['old firmware', 'firmware.below-floor', machine({ firmware: { major: 1, minor: 54, build: 99 } })],
    [
      'firmware that can be taken back',
      'tcb.provisional',
      machine({ committedFirmware: { major: 1, minor: 54, build: 99 } }),
    ],
  ]),
  ...turnedAway('rollback of the TCB', [
    [
      'the certificate of a newer TCB',
      'chain.tcb-mismatch',
      asking(({ evidence, ...request }, { deployment }) => {
        const { certs } = mint(deployment.authority, { tcb: { ...old, snp: 28 } })
        return { ...request, evidence: { ...evidence, certs: certs.map(toBase64url) } }
      }),
    ],
  ]),
  ...decided('a broken generation of silicon', [
    [
      'a machine of a generation that the policy leaves out',
      'root.untrusted',
      asking((request, scene) =>
        bindAnew(scene, request, { authority: milan, platform: { ...GOOD, product: 'Milan' } }),
      ),
    ],
    [
      'a stepping that no floor names',
      'product.excluded',
      machine({ cpuid: { family: 0x19, model: 0x11, stepping: 0 } }),
    ],
    [
      'memory aliases unchecked (BadRAM)',
      'platform-info.violated',
      machine({ platformInfo: { ...GOOD.platformInfo, aliasCheck: false } }),
    ],
  ]),
  ...decided('debugging, migration, VMPL, SMT', [
    ['debugging', 'guest-policy.debug', machine({ guestPolicy: { ...GOOD.guestPolicy, debug: true } })],
    [
      'a migration agent allowed',
      'guest-policy.migration',
      machine({ guestPolicy: { ...GOOD.guestPolicy, migrateMa: true } }),
    ],
    ['SMT allowed', 'guest-policy.violated', machine({ guestPolicy: { smt: true } })],
    ['CXL allowed', 'guest-policy.violated', machine({ guestPolicy: { ...GOOD.guestPolicy, cxl: true } })],
    ['SMT on', 'platform-info.violated', machine({ platformInfo: { ...GOOD.platformInfo, smt: true } })],
    [
      'a report for VMPL 1',
      'vmpl.violated',
      asking((request, scene) => bindAnew(scene, request, { vmpl: 1 })),
    ],
    ['a measurement of zeros', 'measurement.unknown', machine({ measurement: '00'.repeat(48) })],
    [
      'a machine whose disk nothing measures',
      'assurance.insufficient',
      machine({ measurement: PLATFORM_MEASUREMENT }),
    ],
  ]),
  ...decided('side channels of the TEE', [
    [
      'ciphertext hiding off',
      'platform-info.violated',
      machine({ platformInfo: { ...GOOD.platformInfo, ciphertextHiding: false } }),
    ],
  ]),
  ...decided('configuration that nothing measures', [
    ['a worker with other pins', 'trust.unknown', changes({ platform: GOOD, trust: randomBytes(32) })],
    ['other host data', 'host-data.unknown', machine({ hostData: '01'.repeat(32) })],
  ]),
  ...turnedAway('downgrade of an algorithm', [
    ['an assertion with alg none', 'assertion.invalid', assertedBy('none', () => Buffer.alloc(96))],
    [
      'an assertion with HS256 under the public key',
      'assertion.invalid',
      assertedBy('HS256', (input, { deployment }) =>
        createHmac('sha256', canonicalBytes(P384Jwk.parse(deployment.client.jwk)))
          .update(input)
          .digest(),
      ),
    ],
    [
      'an assertion with ES256',
      'assertion.invalid',
      assertedBy('ES256', (input) => sign('sha256', input, { key: p256(), dsaEncoding: 'ieee-p1363' })),
    ],
    [
      'a wrap key of RSA',
      'request.malformed',
      asking((request, scene) => {
        const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
        return bindAnew(scene, request, { runtimeData: { wrapKey: exportJwk(publicKey) } })
      }),
    ],
  ]),
  ...decided('downgrade of an algorithm', [
    [
      'a header with alg none',
      'object.malformed',
      sealed(async ({ sealed: { job, header, ...rest } }) => {
        const protectedHeader = toBase64url(
          canonicalBytes({ alg: 'none', kid: toBase64url(randomBytes(32)), typ: SealHeaderFormat.typ }),
        )
        const text = `${protectedHeader}.${toBase64url(SealHeaderFormat.encode(header))}.${toBase64url(Buffer.alloc(64))}`
        return jobWith({ job, header, ...rest }, text)
      }),
    ],
  ]),
  ...turnedAway('lies about time', [
    ['an assertion of the next hour', 'assertion.invalid', assertedAt(3600)],
    ['an assertion of the last hour', 'assertion.invalid', assertedAt(-3600)],
  ]),
]
