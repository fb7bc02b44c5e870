/** Conformance cases as `report conformance` reads them: one JSON value of any content. */
import { judgeCase } from '#core/appraisal/conformanceCase.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { toRfc3339 } from '#core/time.ts'
import { MEASUREMENT } from '../../amd.ts'
import { mutateJson } from '../json.ts'
import type { Random } from '../random.ts'
import { openReportSources, type ReportSource, storeOf } from '../reportSources.ts'
import type { Target } from '../target.ts'
import { assertForm, VERDICT_CODES } from './verdict.ts'

export const conformanceCase: Target = {
  name: 'case',
  what: 'conformance cases',
  weight: 0.5,
  quick: 6000,
  codes: [
    ...VERDICT_CODES,
    'case.malformed',
    'chain.malformed',
    'chain.untrusted',
    'crl.malformed',
    'crl.untrusted',
    'reference.expired',
  ],
  // The target `verdict` reaches the other codes.
  reached: [
    'case.malformed',
    'report.malformed',
    'report.invalid',
    'report.signature',
    'chain.missing',
    'chain.malformed',
    'chain.untrusted',
    'crl.malformed',
    'crl.untrusted',
    'product.excluded',
    'signing-key.excluded',
  ],
  open: async () => {
    const sources = await openReportSources()
    const amd = storeOf(sources, { holdsAuthorities: true })
    return {
      generate: (random) => [mutateJson(caseOf(random.pick(sources), random), random)],
      check: ([text = Buffer.alloc(0)]) => {
        const judgement = judgeCase(text, amd)
        assertForm(judgement)
        const { reasons } = judgement.result
        const reason = reasons[text.byteLength % reasons.length]
        if (reason !== undefined) throw new CodedError(reason.code, `${reason.field} ${reason.code}`)
      },
    }
  },
}

function caseOf({ amd, reports, certs, crls, at }: ReportSource, random: Random): unknown {
  const text = (bytes: Uint8Array | undefined) => toBase64url(bytes ?? Buffer.alloc(0))
  const replaced = {
    product: amd.product,
    ark: text(amd.arkDer),
    ask: text(amd.askDer),
    asvk: text(amd.asvkDer),
  }
  return {
    v: 1,
    name: 'fuzz',
    report: text(random.pick(reports)),
    certs: certs.map(text),
    // Costs three more RSA verifications.
    ...(random.oneIn(4) ? { roots: [replaced] } : {}),
    crls: [text(crls[0])],
    reference: random.pick(['none', 'strict', { ...STRICT, measurements: [MEASUREMENT] }]),
    at: toRfc3339(at),
    expect: { verdict: 'accepted', codes: [] },
  }
}
