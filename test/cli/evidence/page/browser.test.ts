/** The page in a real browser: what it loads, shows and lets one reach. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { ask, browserOf, skip } from './browser.ts'
import { contrast, type Pair } from './contrast.ts'
import { largePage, pageOf, wholeReport, withText } from './reports.ts'

const report = await wholeReport()
const content = pageOf(report)
const open = browserOf()

const VERDICTS = (['intact', 'consistent', 'incomplete', 'broken'] as const).map((verdict) =>
  pageOf({ ...report, verdict }),
)
const HOSTILE =
  `"'><img src=https://evil.example/a onerror=alert(1)><script>document.title='taken'</script>` +
  `<style>*{background:url(https://evil.example/b)}</style><iframe src=//evil.example></iframe>` +
  `<link rel=stylesheet href=//evil.example/c><a href=javascript:alert(1)>x</a>-->`

test('it asks for nothing beside itself, and the browser has nothing to complain of', { skip }, async () => {
  const { requests, complaints, address } = await open(content)
  assert.deepEqual({ requests, complaints }, { requests: [address], complaints: [] })
})

test('its policy stops what a mistake of ours would let in', { skip }, async (t) => {
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    response.end()
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const elsewhere = `http://127.0.0.1:${port}`
  const mistakes = `<script>document.title="taken"</script><img src="${elsewhere}/a"><iframe src="${elsewhere}/b"></iframe><link rel="stylesheet" href="${elsewhere}/c"><p style="color:rgb(255, 0, 0)" id="pierced">x</p>`
  const pierce = async (text: string) => {
    const { page } = await open(text.replace('</main>', `${mistakes}</main>`))
    return { title: await page.title(), colour: await ask(page, "look.colourOf('#pierced')"), asked }
  }
  assert.deepEqual(await pierce(content), {
    title: 'Evidence report: intact, hospital',
    colour: 'rgb(27, 31, 35)',
    asked: 0,
  })
  const unguarded = content.replace(/<meta http-equiv[^>]*>/, '')
  const { title, colour } = await pierce(unguarded)
  assert.deepEqual({ title, colour, asked }, { title: 'taken', colour: 'rgb(255, 0, 0)', asked: 3 })
})

test('hostile text in every field adds no element, no attribute and no request', { skip }, async () => {
  const shape = async (text: string) => {
    const { page, requests, complaints, address } = await open(pageOf(withText(report, text)))
    assert.deepEqual({ requests, complaints }, { requests: [address], complaints: [] })
    return await ask<string[]>(page, 'look.shape()')
  }
  const [hostile, harmless] = [await shape(HOSTILE), await shape('x'.repeat(HOSTILE.length))]
  assert.deepEqual(hostile, harmless)
})

test('without JavaScript it shows the same', { skip }, async () => {
  const { page } = await open(content, { javaScriptEnabled: false })
  assert.equal(await page.locator('#verdict .word').textContent(), 'Intact')
  await page.locator('summary').first().click()
  assert.equal(await page.locator('details[open]').count(), 2)
})

test('a screen reader finds a language, landmarks, one title, and a name for every picture and region', {
  skip,
}, async () => {
  const { page } = await open(content)
  for (const [role, count] of [
    ['banner', 1],
    ['navigation', 1],
    ['main', 1],
    ['contentinfo', 1],
  ] as const)
    assert.equal(await page.getByRole(role).count(), count, role)
  assert.equal(await page.locator('html').getAttribute('lang'), 'en')
  assert.match(await page.title(), /^Evidence report: intact, hospital$/)
  const pictures = await page.getByRole('img').all()
  assert.equal(pictures.length, 1)
  assert.match(
    (await page.getByRole('img', { name: /^Requests per / }).getAttribute('aria-labelledby')) ?? '',
    /over-time-text/,
  )
  assert.equal(await ask(page, 'look.unnamed()'), 0)
})

test('the keyboard reaches every part in the order of the page, and skips to the report', {
  skip,
}, async () => {
  const { page } = await open(content)
  type Focus = { readonly at: number; readonly of: number; readonly outlineStyle: string }
  const focused = () => ask<Focus>(page, 'look.focus()')
  await page.keyboard.press('Tab')
  const { of } = await focused()
  assert(of > 40)
  for (let n = 0; n < of; n++) {
    const { at, outlineStyle } = await focused()
    assert.deepEqual({ at, outlineStyle }, { at: n, outlineStyle: 'solid' })
    await page.keyboard.press('Tab')
  }

  await page.reload()
  await page.keyboard.press('Tab')
  const skipLink = page.getByRole('link', { name: 'Skip to the report' })
  const box = await skipLink.boundingBox()
  assert(box !== null && box.x >= 0 && box.y >= 0)
  await page.keyboard.press('Enter')
  assert.equal(await ask(page, 'look.focusedId()'), 'main')
})

test('a link to a course opens it', { skip }, async () => {
  const { page } = await open(content)
  const link = page.locator('#releases a').first()
  const target = (await link.getAttribute('href'))?.slice(1) ?? ''
  await ask(page, 'look.closeAll()')
  await link.click()
  await page.locator(`[id="${target}"]`).waitFor({ state: 'visible' })
})

for (const [name, options] of [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
] as const)
  test(`contrast is enough for every text and bar, ${name}`, { skip }, async () => {
    const shown = []
    for (const verdict of VERDICTS) {
      const { page } = await open(verdict, options)
      const pairs = await ask<Pair[]>(page, 'look.colours()')
      shown.push(...pairs)
      const bars = await ask<Record<string, string>>(page, 'look.bars()')
      for (const bar of ['plain', 'hatched'])
        assert(contrast(bars[bar] ?? '', bars['ground'] ?? '') >= 3, bar)
    }
    assert(shown.length > 12)
    const poor = shown.filter(({ color, ground, large }) => contrast(color, ground) < (large ? 3 : 4.5))
    assert.deepEqual(poor, [])
  })

test('a narrow window scrolls down only, and wide tables scroll by themselves', { skip }, async () => {
  for (const text of ['', 'w'.repeat(300)]) {
    const { page } = await open(pageOf(withText(report, text)), {
      viewport: { width: 320, height: 640 },
    })
    const { scroll, client } = await ask<{ scroll: number; client: number }>(page, 'look.widths()')
    assert(scroll <= client, `${scroll} of ${client}`)
  }
})

test('it prints in black on white, without its contents list, and nothing is cut off', { skip }, async () => {
  const { page } = await open(content, { colorScheme: 'dark', viewport: { width: 794, height: 1123 } })
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  const look = await ask(page, 'look.print()')
  assert.deepEqual(look, { color: 'rgb(0, 0, 0)', ground: 'rgb(255, 255, 255)', nav: false, cut: 0 })
  const pdf = await page.pdf({ preferCSSPageSize: true })
  assert.equal(pdf.subarray(0, 5).toString(), '%PDF-')
})

test('the page of 100,000 entries opens', { skip }, async () => {
  const { page, complaints } = await open(largePage(report))
  assert.match((await page.locator('.lead').textContent()) ?? '', /15,000 were allowed/)
  assert.deepEqual(complaints, [])
})
