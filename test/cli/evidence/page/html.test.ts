import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Content, html, styleElement } from '#cli/evidence/page/html.ts'

test('a value is text, in an element and in a quoted attribute', () => {
  const hostile = `"><script>alert('&')</script>`
  const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;'
  assert.equal(html`<p title="${hostile}">${hostile}</p>`.toString(), `<p title="${escaped}">${escaped}</p>`)
})

test('markup goes in as it is, also in lists; nothing is written for nothing', () => {
  const items: readonly Content[] = [html`<b>${'<'}</b>`, null, undefined, false, 0, ['a', html`<i></i>`]]
  assert.equal(html`<p>${items}</p>`.toString(), '<p><b>&lt;</b>0a<i></i></p>')
})

test('an object that only looks like markup is not trusted', () => {
  const forged = JSON.parse('{"toString": "<b>"}') as never
  assert.throws(() => html`${forged}`.toString(), TypeError)
})

test('controls, which hide or turn words, become visible', () => {
  assert.equal(html`${'a\u202eb\u0000c\u200bd\u2028e\ud800f'}`.toString(), 'a�b�c�d�e�f')
})

test('no text can end the element or the attribute that it is in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const inside = html`${text}`.toString()
      assert.doesNotMatch(inside, /[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/)
    }),
  )
})

test('a style sheet cannot end its element', () => {
  assert.equal(styleElement('p{color:red}').toString(), '<style>p{color:red}</style>')
  assert.throws(() => styleElement('p{}</style><script>'), /no "<"/)
})
