/**
 * The threats to attested key release (facts/key-release.md §6), and where each is played by a hostile client.
 * docs/threat-model.md has the same table; test/docs/hostileClients.test.ts compares them, and finds each test.
 */

/** A file, and a test in it by its title as the file writes it, with `{name}` for a placeholder. */
type Played = readonly [file: string, title: string]
type Row = {
  readonly threat: string
  /** With real sockets or processes, unless `left` says otherwise. */
  readonly played: readonly Played[]
  /** What cannot be played here, and why; null if nothing is left out. */
  readonly left: string | null
}

/** One request of each attack, with the Verifier's answer, its evidence and a good client right after. */
export const CLIENT: Played = ['test/verifier/hostile.test.ts', '{threat}: {name}']
const hostile = (title: string): Played => ['test/verifier/hostile.test.ts', title]
const verifier = (title: string): Played => ['test/verifier/verifier.test.ts', title]
const e2e = (file: string, title: string): Played => [`test/e2e/${file}.test.ts`, title]

export const THREATS = [
  {
    threat: 'replay of old evidence',
    played: [CLIENT, hostile('a recorded request is spent at another replica, and after a restart')],
    left: null,
  },
  {
    threat: 'reused, predictable or chosen nonce',
    played: [CLIENT, hostile('one nonce redeemed eight times at once, at two replicas: one is answered')],
    left: null,
  },
  {
    threat: 'relay to a genuine TEE elsewhere',
    played: [CLIENT, hostile('a relay under his own certificate gets only what the TEE can open')],
    left: "the identity that OCI's control plane gives an instance: no rule uses it",
  },
  {
    threat: 'cuckoo: a genuine machine of the attacker',
    played: [CLIENT],
    left: 'a second real chip: the simulated one has another chip id and a genuine chain',
  },
  { threat: 'a key that nothing binds', played: [CLIENT], left: null },
  {
    threat: 'forged release to the TEE',
    played: [
      hostile('a device between forges keys: {name}'),
      e2e('middleman', 'a device between that {name}: the job waits, and has its result'),
    ],
    left: null,
  },
  {
    threat: 'swap of wrapped keys or objects',
    played: [
      CLIENT,
      e2e('refusals', 'an object that must not be opened or does not open gets its code and a dead letter'),
    ],
    left: null,
  },
  {
    threat: 'confused deputy by a job message',
    played: [
      e2e('hostileStream', 'a message that lies: {name}'),
      e2e('refusals', 'malformed messages become dead letters with their code, and the stream continues'),
      e2e(
        'question',
        'another configuration of what the report does not cover, and another message: the same result',
      ),
    ],
    left: null,
  },
  { threat: 'keys of another tenant', played: [CLIENT], left: null },
  { threat: 'rollback of the TCB', played: [CLIENT], left: 'a real host that goes back to old firmware' },
  {
    threat: 'a broken generation of silicon',
    played: [
      CLIENT,
      e2e(
        'recovery',
        'a worker whose reference values are revoked waits, and goes on when they are restored',
      ),
    ],
    left: 'a chip whose key has leaked: its reports are genuine until a policy drops the chip',
  },
  { threat: 'debugging, migration, VMPL, SMT', played: [CLIENT], left: null },
  {
    threat: 'revoked VEK or ASK',
    played: [
      hostile('a replica whose list names the ASK refuses every machine'),
      verifier('it fetches the revocation list of its root'),
    ],
    left: "AMD's own service; its lists name no VCEK",
  },
  {
    threat: 'drift or rollback of policy and reference values',
    played: [
      hostile('an older policy, or one of one person, is put back: what it allowed is refused'),
      verifier('a policy without a quorum does not come into force'),
    ],
    left: null,
  },
  {
    threat: 'configuration that nothing measures',
    played: [CLIENT, e2e('wrongWorker', '{wrong}: it takes no job, and says {code}')],
    left: null,
  },
  {
    threat: 'downgrade of an algorithm',
    played: [
      CLIENT,
      verifier('no connection without a certificate, with a foreign one, or with TLS 1.2'),
      ['test/verifier/connections.test.ts', 'refused in the handshake: {name}'],
    ],
    left: null,
  },
  {
    threat: "denial of service, also by AMD's service",
    played: [
      ['test/verifier/floods.test.ts', 'a good worker gets its keys while every flood runs'],
      e2e('hostileStream', 'a flood of garbage: a good object has its result'),
      verifier('it fetches the revocation list of its root'),
    ],
    left: null,
  },
  {
    threat: 'lies about time',
    played: [
      CLIENT,
      [
        'test/verifier/clock.test.ts',
        'more than a minute off OCI it refuses, says why, and goes on when its clock is right',
      ],
    ],
    left: 'a host that slows the guest down',
  },
  {
    threat: 'a log altered, cut or told in two ways',
    played: [
      verifier('the Verifier ends if another program writes to its log'),
      ['test/core/evidence/tamper.test.ts', 'no object can be altered or dropped without a finding'],
    ],
    left: 'a tail after the last cosigned checkpoint; alterations are of files, not of a bucket',
  },
  {
    threat: 'rogue Verifier or administrator',
    played: [
      hostile('an older policy, or one of one person, is put back: what it allowed is refused'),
      [
        'test/lab/emulator/statements.test.ts',
        'each writer of governance creates its own names, and no other (M3)',
      ],
    ],
    left: "the Verifier's own host: OCI's Vault asks for no attestation; the comparison with OCI Audit needs OCI",
  },
  {
    threat: 'use after the permission has ended',
    played: [
      ['test/verifier/inForce.test.ts', 'a revocation while the decision is stored: the Vault gives no key'],
      e2e(
        'recovery',
        'a job under an expired permission waits, and has its result when the permission is renewed',
      ),
    ],
    left: 'a TEE that keeps a key that it had: its image is trusted',
  },
  {
    threat: 'a client that guesses what exists',
    played: [hostile('what does not exist and what is not permitted are told alike')],
    left: 'times: both answers come from one look-up, and no bound is measured',
  },
  {
    threat: 'results that say more than allowed',
    played: [
      e2e('question', 'one person: whatever was found, the result is the same, byte for byte'),
      [
        'test/verifier/quotaReplicas.test.ts',
        'two replicas release exactly what a quota allows; what was released once may be asked for again',
      ],
    ],
    left: 'results that the provider allows, subtracted from each other',
  },
  {
    threat: 'side channels of the TEE',
    played: [CLIENT],
    left: 'page faults, ciphertext, timing, power: real hardware',
  },
  {
    threat: 'keys left in memory',
    played: [
      e2e('demo', 'released keys are in no file and in no output'),
      [
        'test/verifier/keys.test.ts',
        'a replaced identity key is wiped when its last user is done, and not before',
      ],
    ],
    left: 'copies that V8 and OpenSSL made; wiping is tested in one process',
  },
  {
    threat: 'simulation in production',
    played: [verifier('--check-config checks a configuration without using it')],
    left: null,
  },
] as const satisfies readonly Row[]

export type Threat = (typeof THREATS)[number]['threat']
export const ROWS: readonly Row[] = THREATS

/** The rows of the table in docs/threat-model.md. */
export function documentRows(): readonly string[] {
  return ROWS.map(({ threat, played, left }) => {
    const files = [...new Set(played.map(([file]) => `\`${file}\``))].join(', ')
    return `| ${threat} | ${files} | ${left ?? ''} |`
  })
}
