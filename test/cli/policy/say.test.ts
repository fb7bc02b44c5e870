/** The whole text of `policy say`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sayPolicy } from '#cli/policy/say.ts'
import { thumbprint } from '#core/jwk.ts'
import { datasetOf, permissionOf, policyOf } from '../../core/release/releaseWorld.ts'

const CONSUMER = { level: 'platform', administeredBy: 'consumer' } as const
const permission = permissionOf()
const [reference] = policyOf().referenceValues
assert.ok(reference)
const [genoa] = reference.processors
assert.ok(genoa)

function said(changes: Parameters<typeof policyOf>[0]): string {
  const policy = policyOf({ referenceValues: [{ ...reference, processors: [genoa] } as never], ...changes })
  return sayPolicy(policy).replaceAll(thumbprint(permission.recipient.jwk), '<thumbprint>')
}

const MACHINES = `ON WHICH MACHINES

worker-1 (measured), 2027-01-14 08:00 UTC until 2027-01-16 08:00 UTC
   launches      2222222222222222222222222222222222222222222222222222222222222222
                 22222222222222222222222222222222
   worker        configured as AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM
   processors    Genoa 25/17/1 from SNP 23, microcode 84
   firmware      from 1.55.0
   chips         any chip
   debugging     forbidden
   migration     forbidden`

const RULES = `   computes      fhir-summary (BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc), without parameters
   gets          application/json of at most 1,000,000 bytes; a count of fewer than 11 persons is not shown
   opened by     ocid1.key.oc1..result (<thumbprint>)
   how often     at most 1,000 releases, 1,000 files and 1,000,000,000 bytes per 24 hours
   edition       1: the same question about the same files has one answer
   when          2027-01-14 08:00 UTC until 2027-01-16 08:00 UTC`

test('says who gets what, on which machines, and what is not allowed', () => {
  const closed = datasetOf({ id: 'register', notSealedBefore: 0, permissions: [] })
  const text = said({
    datasets: [datasetOf({ permissions: [permission] }), closed],
    clients: [...policyOf().clients, { id: 'idle', keys: [] }],
    excludedSigners: ['x'.repeat(43)],
  })
  assert.equal(
    text,
    `Policy 7 of hospital, for the Verifiers of https://verifier.hospital.example.
In force from 2027-01-14 08:00 UTC until 2027-02-14 08:00 UTC, or until a policy with a
higher number replaces it.
SIMULATION: it trusts emulated processors. Nothing is confidential; all data is synthetic.

WHO MAY HAVE WHAT

1. acme may use cohort for HRESCH (healthcare research)
   permission    heart-2027
   data          synthetic data of the population cohort
   reads         the minimal view of 2 kinds of records and no others: system/Condition.rs
                 system/Observation.rs
   sensitive     records of every sensitive category are withheld
   withdrawn     no one is withheld: the dataset has no consent lists
${RULES}
   machine       must prove which code it runs (measured)

${MACHINES}

WHAT IS NOT ALLOWED

- Everything that is not listed above. No client can widen, narrow or vary its question.
- register: no one may use it.
- cohort: no file that was sealed before 2027-01-14 08:00 UTC.
- register: no file that was sealed before 1970-01-01 00:00 UTC.
- idle: it is known and has no permission.
- Machines under other roots than Genoa
  1111111111111111111111111111111111111111111111111111111111111111 (SIMULATED).
- A policy or revocation by the signer's key xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: it
  is excluded.
`,
  )
})

test('says that a release to machines of the consumer hands real data over', () => {
  const granted = { ...permission, sensitive: ['HIV', 'PSY'] }
  const text = said({
    simulation: false,
    datasets: [datasetOf({ synthetic: false, assurance: CONSUMER, permissions: [granted] })],
  })
  assert.equal(
    text,
    `Policy 7 of hospital, for the Verifiers of https://verifier.hospital.example.
In force from 2027-01-14 08:00 UTC until 2027-02-14 08:00 UTC, or until a policy with a
higher number replaces it.

WHO MAY HAVE WHAT

1. acme may use cohort for HRESCH (healthcare research)
DISCLOSURE: acme administers the machines, so its administrators can read every released
file of cohort whole. This permission hands the data over; the output rule holds back
nothing from them.
   permission    heart-2027
   data          REAL data of the population cohort
   reads         the minimal view of 2 kinds of records and no others: system/Condition.rs
                 system/Observation.rs
   sensitive     INCLUDED: HIV and PSY; every other sensitive category is withheld
   withdrawn     no one is withheld: the dataset has no consent lists
${RULES}
   machine       proves its hardware and firmware only (platform); the consumer administers it and can read
                 what it reads

${MACHINES}

WHAT IS NOT ALLOWED

- Everything that is not listed above. No client can widen, narrow or vary its question.
- cohort: no file that was sealed before 2027-01-14 08:00 UTC.
- Machines under other roots than Genoa
  1111111111111111111111111111111111111111111111111111111111111111 (SIMULATED).
`,
  )
})

test('says that a policy without a permission allows nothing, and what counts are shown', () => {
  assert.match(said({ datasets: [] }), /WHO MAY HAVE WHAT\n\nNo one may have anything/)
  const exact = { ...permission.output, maxBytes: 3 * 1024 ** 2, disclosure: { form: 'exact' } as const }
  const text = said({ datasets: [datasetOf({ permissions: [{ ...permission, output: exact }] })] })
  assert.match(text, /at most 3 MiB; every count is shown, also of a single person\n/)
})
