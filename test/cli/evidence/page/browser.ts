/** Debian's Chromium, headless, driven by playwright-core. Elsewhere the tests skip and say so. */
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const IN_PAGE = fileURLToPath(new URL('inPage.js', import.meta.url))
const EXECUTABLE = '/usr/bin/chromium'
/** Of a machine without a network: Chromium would try one in the background. */
const ARGUMENTS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const skip: string | false = isExecutable() ? false : `no Chromium at ${EXECUTABLE}`

function isExecutable(): boolean {
  try {
    accessSync(EXECUTABLE, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export type Opened = {
  readonly page: Page
  /** The addresses that the page asked for, and what the browser complained about. */
  readonly requests: readonly string[]
  readonly complaints: readonly string[]
  readonly address: string
}

/** The answer of `inPage.js` to a question such as `look.focus()`. */
export function ask<Answer>(page: Page, question: string): Promise<Answer> {
  return page.evaluate<Answer>(question)
}

/** Opens pages from files. The browser starts with the first and ends with the tests of the file. */
export function browserOf() {
  let started: Promise<Browser> | undefined
  const folder = mkdtemp(join(tmpdir(), 'cw-browser-'))
  after(async () => {
    await (await started)?.close()
    await rm(await folder, { recursive: true, force: true })
  })
  let count = 0
  return async (content: string, options: BrowserContextOptions = {}): Promise<Opened> => {
    // Chromium's own sandbox does not start as root.
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    started ??= chromium.launch({ executablePath: EXECUTABLE, args: [...ARGUMENTS, ...sandbox] })
    const file = join(await folder, `page-${count++}.html`)
    await writeFile(file, content)
    const page = await (await started).newPage(options)
    await page.addInitScript({ path: IN_PAGE })
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    const address = pathToFileURL(file).href
    await page.goto(address)
    return { page, requests, complaints, address }
  }
}
