import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { largePage, pageOf, wholeReport, withText } from './reports.ts'

const report = await wholeReport()
const page = pageOf(report)

/** Every tag with the names of its attributes: what a browser would build, without the words. */
function skeleton(text: string): string {
  return [...text.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""')).join('\n')
}

test('its own policy forbids everything but its own style sheet', () => {
  const [, style = ''] = /<style>([^<]*)<\/style>/.exec(page) ?? []
  const digest = createHash('sha256').update(style).digest('base64')
  assert(
    page.includes(
      `content="default-src &#39;none&#39;; style-src &#39;sha256-${digest}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`,
    ),
  )
  assert.doesNotMatch(page, /<(?:script|img|link|iframe|object|embed|form|base)\b|\ssrc=|\sstyle=|\son\w+=/i)
  const links = [...page.matchAll(/\shref="([^"]*)"/g)].map(([, target = '']) => target)
  assert(links.length > 20 && links.every((target) => target.startsWith('#')))
})

test('every link leads to a part of the page', () => {
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const [, target] of page.matchAll(/\s(?:href="#|aria-labelledby=")([^" ]*)/g))
    assert(ids.includes(target), `#${target}`)
})

test('headings are in order, tables have a caption, and cells have headings with a scope', () => {
  const levels = [...page.matchAll(/<h([1-6])\b/g)].map(([, level]) => Number(level))
  assert.equal(levels.filter((level) => level === 1).length, 1)
  for (const [n, level] of levels.entries()) assert(level <= (levels[n - 1] ?? 0) + 1, `heading ${n}`)
  const tables = page.split('<table').slice(1)
  assert(tables.length > 15)
  for (const table of tables) {
    assert.match(table, /^[^>]*><caption>/)
    assert.doesNotMatch(table.split('</table>')[0] ?? '', /<th(?![^>]*\sscope="(?:col|row)")[\s>]/)
  }
})

test('it has the verdict, its limits and every number that a reader looks for first', () => {
  const text = page.replace(/<[^>]*>/g, '')
  for (const part of [
    'Simulated.',
    'Root not confirmed.',
    'Confidential.',
    '10 were allowed, for research. 1 was refused. 3 results were delivered.',
    '6 requests came from no known client',
    'Permission cohort-research, edition 1, of policy 1, signed by ada and grace.',
    'a count of fewer than 11 persons is not shown',
    'no permission for this kind of record (scope)',
    'Computation fhir-summary.',
    'the worker ended before it delivered a result',
    'The worker receives the key, and records it before it opens anything',
    '45 CFR 164.312(b)',
    '21 CFR 11.10(e)',
    'GDPR art. 30',
    'NIST SP 800-53 AU-9',
    ...report.trust.keys.map(({ thumbprint }) => thumbprint),
  ])
    assert(text.includes(part), part)
  assert(!text.includes('Not witnessed.'))
  assert(pageOf({ ...report, witnessed: 'unwitnessed' }).includes('Not witnessed.'))
})

test('every kind of finding is listed with its meaning and its text', () => {
  for (const { code, text } of report.findings) {
    assert(page.includes(`${code}: 1 finding`), code)
    assert(page.includes(text), text)
  }
})

test('each verdict is said in its own words; an intact one has no findings', () => {
  for (const [verdict, word] of [
    ['intact', 'Intact'],
    ['consistent', 'Consistent'],
    ['incomplete', 'Incomplete'],
    ['broken', 'Broken'],
  ] as const) {
    const other = pageOf({ ...report, verdict, findings: [] })
    assert(other.includes(`<div class="verdict ${verdict}"`) && other.includes(`</span>${word}</p>`))
    assert(other.includes('None. Every rule of the audit holds.'))
  }
})

test('without the audit key the counts stay sealed, and the page says so', () => {
  const releases = report.releases.map((release) => ({ ...release, counts: null }))
  const sealed = pageOf({ ...report, releases })
  assert(sealed.includes('sealed to the provider’s audit key, and was not opened for this page'))
  assert(!/no permission for this kind of record|Confidential\./.test(sealed))
})

test('an empty collection makes a page', () => {
  const empty = pageOf({
    ...report,
    logs: [],
    policies: [],
    releases: [],
    results: [],
    findings: [],
    setAside: [],
    turnedAway: [],
  })
  assert(empty.includes('No key was released.') && empty.includes('Nothing was refused.'))
})

test('no text of any field adds an element or an attribute', () => {
  const pieces = [
    '<',
    '>',
    '"',
    "'",
    '&',
    '`',
    '=',
    ' ',
    '/',
    '<script>',
    '<!--',
    ' onload=',
    '</table>',
    '</style>',
    'javascript:',
    '\n',
    '\u202e',
    '\u0000',
  ]
  const hostile = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 })
    .map((all) => all.join(''))
  fc.assert(
    fc.property(hostile, (more) => {
      const harmless = pageOf(withText(report, 'x'.repeat(more.length)))
      assert.equal(skeleton(pageOf(withText(report, more))), skeleton(harmless))
    }),
    { numRuns: 50 },
  )
})

test('a page of 100,000 entries and more findings than an audit lists has at most 5 MB', () => {
  const large = largePage(report)
  assert(Buffer.byteLength(large) <= 5_000_000, `${Buffer.byteLength(large)} bytes`)
  assert(large.includes('of 10,005 findings, the gravest kinds first'))
  assert(large.includes('of 15,000 releases'))
  assert(large.includes('15,000 were allowed'))
})
