import assert from 'node:assert/strict'
import { access, glob } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readDocument } from './document.ts'

const root = new URL('../../', import.meta.url)
const LINK = /\]\(([^)#:]+)(?:#[^)]*)?\)/g
/** A path of the tree as text speaks of it; one with a placeholder or a wild card in it is none. */
const PATH = /`((?:src|lab|packages|test|docs|native|systemd|infra|bench|\.ci)\/(?![\w./-]*NNN)[\w./-]+)`/g

for await (const page of glob(['*.md', 'docs/**/*.md', 'systemd/*.md', 'native/*.md', 'packages/*/*.md'], {
  cwd: fileURLToPath(root),
}))
  test(`${page} points to what is there`, async () => {
    const text = await readDocument(page)
    const targets = [
      ...[...text.matchAll(LINK)].map(([, target = '']) => new URL(target, new URL(page, root))),
      // The addon is built where there is a compiler; it is no file of the tree.
      ...[...text.matchAll(PATH)]
        .map(([, path = '']) => path)
        .filter((path) => !path.startsWith('native/build/') && path !== 'native/build')
        .map((path) => new URL(path, root)),
    ]
    const missing: string[] = []
    for (const target of targets)
      await access(target).catch(() => missing.push(fileURLToPath(target).slice(fileURLToPath(root).length)))
    assert.deepEqual(missing, [])
  })
