/** How a reader repeats the audit, with whom to compare keys, and the words of this page. */
import { listText } from '#cli/policy/words.ts'
import { logRoots } from './assurance.ts'
import type { PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { code, facts, table } from './parts.ts'

export function check(context: PageContext): Content {
  const { trust, policies, simulation } = context.report
  const option = simulation ? ' --simulation' : ''
  return [
    html`<p>This page is a reading of the evidence, and no evidence itself. Anyone with a copy of the evidence can repeat the audit, without a network, an account or a secret key:</p>`,
    html`<ol>
<li>Get the evidence from both sides: ${code('confidential-worker evidence export --config audit.json --out evidence')}. The folder can be checked wherever it is.</li>
<li>Get the provider’s root another way than with the evidence, and compare the thumbprints below with the persons themselves.</li>
<li>Repeat the audit: ${code(`confidential-worker evidence verify evidence --trust root.json${option}`)}. It exits with 0 only if everything holds.</li>
<li>Write this page anew: ${code(`confidential-worker evidence report evidence --trust root.json${option} -o report.html`)}.</li>
<li>The logs are C2SP tlog-tiles with signed notes: other tools read them too. <cite>docs/formats/evidence.md</cite> says how.</li>
</ol>`,
    table(
      `The provider’s root: ${trust.threshold} of ${trust.keys.length} must sign`,
      [{ title: 'Person' }, { title: 'Thumbprint of the key (RFC 7638)', kind: 'code' }],
      trust.keys.map(({ person, thumbprint }) => [person, code(thumbprint)]),
    ),
    policies.length > 0 &&
      table(
        'Policies that were in force',
        [
          { title: 'Number' },
          { title: 'Provider' },
          { title: 'Signed by' },
          { title: 'SHA-256', kind: 'code' },
        ],
        policies.map(({ seq, signers, digest, policy }) => [
          String(seq),
          policy.tenant,
          listText(signers),
          code(digest),
        ]),
      ),
    logRoots(context),
  ]
}

export function glossary(): Content {
  return facts([
    ['Release', 'Letting out the key of sealed data to one worker, for one job.'],
    [
      'Worker',
      'The program that computes on the data, inside a confidential virtual machine of the recipient.',
    ],
    ['Verifier', 'The provider’s program that checks a worker’s proof and decides.'],
    [
      'Policy',
      'The provider’s rules, signed by several persons: who may have what, why, and on which machines.',
    ],
    ['Permission', 'One rule of the policy: one recipient, one dataset, one purpose, one fixed question.'],
    ['Measurement', 'A digest of what a machine started with, made and signed by its processor.'],
    ['TCB', 'The versions of the processor’s own firmware on which its proof rests.'],
    ['Checkpoint', 'A signature over all entries of a log so far.'],
    ['Finding', 'A rule of the audit that does not hold.'],
  ])
}
