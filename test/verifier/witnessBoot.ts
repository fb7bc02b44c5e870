/** The Verifier's witness without a network: its own modules, over a store that replicas may share. */
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import { RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import type { CheckpointSubmission } from '#core/evidence/witness/submission.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import type { Revoked } from '#core/policy/revocation.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { createCommits } from '../../src/verifier/commits.ts'
import { createGrantKeys } from '../../src/verifier/grantKeys.ts'
import { createLogReader } from '../../src/verifier/logReader.ts'
import { createRegistrations } from '../../src/verifier/registrations.ts'
import { answerCheckpoint } from '../../src/verifier/witness.ts'
import { createWitnessedLogs } from '../../src/verifier/witnessedLogs.ts'
import { linesOf } from '../log.ts'
import { cosignBy, testVerifier } from '../witnessing.ts'
import { steerableClock } from './steerableClock.ts'

type Bucket = Omit<ObjectRef, 'name'>

const NOTHING: Revoked = { referenceValues: [], objects: [], boots: [], permissions: [] }

/** One replica. Its boot is registered in `own`. */
export async function witnessBoot(options: {
  readonly store: ObjectStore
  readonly own: Bucket
  readonly workers: Bucket
  readonly grantCa: Signer
  readonly now: number
}) {
  const { store, own, workers, grantCa, now } = options
  const verifier = testVerifier(now)
  const { boot, key } = verifier
  const registration = await signCompact(RegistrationFormat, verifier.registration, grantCa)
  await store.create({ ...own, name: registrationName(boot) }, utf8(registration))
  let revoked = NOTHING
  let passed = 0
  const clock = { ...steerableClock(), now: () => addSeconds(toUnixSeconds(now), passed) }
  const evidence = createEvidenceLog({
    store,
    bucket: own,
    role: 'verifier',
    key,
    boot,
    software: 'test/1',
    simulation: true,
    now: clock.now,
  })
  const entries: EntryBody[] = []
  const outcomes: string[] = []
  const parts: Parameters<typeof answerCheckpoint>[2] = {
    requestSeconds: 10,
    registrations: createRegistrations(store, own, grantCa),
    grantCa: grantCa.jwk,
    grantKeys: await createGrantKeys(grantCa, clock.now),
    witnessedLogs: createWitnessedLogs({
      store,
      bucket: own,
      reader: createLogReader(store, workers),
      cosign: (note) => cosignBy(verifier, note, clock.now()),
    }),
    commits: createCommits(store, own),
    // Only the revocation is asked for.
    policyStore: { inForce: () => ({ revocation: revoked }) } as never,
    evidence: {
      ...evidence,
      append: (body) => {
        entries.push(body)
        return evidence.append(body)
      },
    },
    metrics: {
      permitted: (outcome: string, code: string) => outcomes.push(`${outcome} ${code}`.trim()),
    } as never,
    clock,
    log: linesOf().log,
  }
  return {
    verifier,
    parts,
    /** What the replica has logged. */
    entries,
    outcomes,
    revoke: (lists: Partial<Revoked>) => {
      revoked = { ...NOTHING, ...lists }
    },
    pass: (seconds: number) => {
      passed += seconds
    },
    submit: (id: string, submission: CheckpointSubmission) =>
      answerCheckpoint({ boot: id }, utf8(JSON.stringify(submission)), parts),
  }
}
