/** An approved worker on an approved machine, and one case per change to it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appraise, type Verdict } from '#core/appraisal/appraise.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { Crl } from '#core/snp/crl.ts'
import { FIELDS, type FieldName } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'
import { type VerifiedReport, verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { endorsementOf } from '#lab/amd/guest.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { signReport } from '#lab/amd/report.ts'
import { MEASUREMENT, mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'
import { referenceOf } from '../../reference.ts'

export const amd = await testAuthority()
export const at = noon(amd)
const roots = storeOf(amd)
const [root] = roots.roots
assert.ok(root)
export const { tcb: TCB } = platformOf(amd)
export const TRUST = 'T'.repeat(43)
export const OTHER_MEASUREMENT = '5a'.repeat(48)
export const CSP = 'CN=cc.csp.example'

export const REFERENCE: PolicyReference = referenceOf({
  notBefore: at - 100,
  notAfter: at + 100,
  measurements: [MEASUREMENT],
  trust: [TRUST],
  processors: [{ product: 'Genoa', family: 0x19, model: 0x11, stepping: 1, floor: TCB.reported }],
  firmware: { major: 1, minor: 55, build: 49 },
})

export const ROOT: Policy['roots'][number] = {
  product: 'Genoa',
  ark: root.fingerprint,
  simulated: true,
}
export type Values = Pick<Policy, 'roots' | 'simulation' | 'referenceValues'>
export const POLICY: Values = { roots: [ROOT], simulation: true, referenceValues: [REFERENCE] }

/** A list of the authority's root. It revokes nothing: a revoked serial is refused before any rule. */
export const CRL: Crl = {
  product: 'Genoa',
  root: root.fingerprint,
  thisUpdate: toUnixSeconds(at - 1000),
  nextUpdate: toUnixSeconds(at + 1000),
  number: '01',
  revoked: new Set(),
  digest: '00'.repeat(32),
}

type Change = (bytes: Buffer) => void

export type Case = {
  readonly name: string
  readonly platform?: Partial<PlatformInput>
  readonly vmpl?: number
  /** Written into the report before it is signed again. */
  readonly change?: Change
  /** Signed by a VLEK of this provider instead of the chip's key. */
  readonly csp?: string
  readonly crl?: Crl
  readonly reference?: Partial<PolicyReference>
  readonly policy?: Partial<Values>
  readonly trust?: string
  readonly at?: number
  readonly revoked?: readonly string[]
}
type Given = Omit<Case, 'name'>

export function verdict(given: Given): Verdict {
  const { trust = TRUST, revoked = [] } = given
  const referenceValues = [{ ...REFERENCE, ...given.reference }]
  return appraise(
    verifiedReport(given),
    { ...POLICY, referenceValues, ...given.policy },
    { trust, at: toUnixSeconds(given.at ?? at), revocation: { referenceValues: [...revoked] } },
  )
}

export function verifiedReport({ platform, vmpl = 0, change, csp, crl }: Given): VerifiedReport {
  const input = csp === undefined ? platform : { ...platform, signingKey: 'vlek' as const, cspId: csp }
  const { bytes, certs } = mint(amd, input, { vmpl })
  if (change !== undefined) {
    change(bytes)
    signReport(bytes, endorsementOf(amd, platformOf(amd, input)).key)
  }
  return verifyReport(parseReport(bytes), certs, { roots, crls: crl === undefined ? [] : [crl], at })
}

/** Writes a field of the report: all of its bytes, or one byte repeated. */
export function put(field: FieldName, ...values: readonly number[]): Change {
  const { at, size } = FIELDS[field]
  return (bytes) => void bytes.fill(Buffer.from(values), at, at + size)
}

export function together(...changes: readonly Change[]): Change {
  return (bytes) => {
    for (const change of changes) change(bytes)
  }
}

export function accepts(cases: readonly Case[]): void {
  for (const { name, ...given } of cases)
    test(`accepts ${name}`, () => {
      const result = verdict(given)
      assert.deepEqual(result.kind === 'refused' ? result.reasons : [], [])
    })
}

export type Refused = Case & {
  readonly code: string
  readonly field: string
  readonly expected?: string
  readonly actual?: string
  readonly remedy?: RegExp
}

/** Each case violates its reference values in nothing else. */
export function refuses(cases: readonly Refused[]): void {
  for (const { name, code, field, expected, actual, remedy = /./, ...given } of cases)
    test(`refuses ${name}`, () => {
      const result = verdict(given)
      assert.equal(result.kind, 'refused')
      assert.deepEqual(
        result.reasons.map((reason) => [reason.code, reason.field]),
        [[code, field]],
      )
      const [reason] = result.reasons
      if (expected !== undefined) assert.equal(reason?.expected, expected)
      if (actual !== undefined) assert.equal(reason?.actual, actual)
      assert.match(reason?.remedy ?? '', remedy)
    })
}
