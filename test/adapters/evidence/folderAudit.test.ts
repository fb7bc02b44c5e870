import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { auditFolder } from '#adapters/evidence/folderAudit.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-folder-audit-'))
after(() => rm(root, { recursive: true, force: true }))
const empty = join(root, 'empty')
await mkdir(empty)
const bad = join(root, 'bad.json')
await writeFile(bad, '{"providerRoot":{"keys":[],"threshold":2}}')
const huge = join(root, 'huge.json')
await writeFile(huge, Buffer.alloc(64 * 1024 + 1, ' '))
for (const [name, dir, trust] of [
  ['no folder', join(root, 'absent'), undefined],
  ['a file', bad, undefined],
  ['no trust.json', empty, undefined],
  ['a missing pin', empty, join(root, 'absent.json')],
  ['an invalid pin', empty, bad],
  ['a pin that is too large', empty, huge],
] as const)
  test(`${name}: nothing to audit, or no root`, async () => {
    await assert.rejects(auditFolder(dir, { trust, simulation: true }), { code: 'input.unreadable' })
  })
