import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { logOrigin } from '#core/boot/boot.ts'
import { registrationName } from '#core/boot/registration.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { auditCollection } from '#core/evidence/audit/audit.ts'
import type { Collection } from '#core/evidence/audit/collection.ts'
import { FINDINGS } from '#core/evidence/audit/finding.ts'
import { checkpointName, signCheckpoint } from '#core/evidence/checkpoint.ts'
import { EMPTY_ROOT } from '#core/evidence/tree.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import { CollectionBuilder, providerRoot, signers, signPolicy } from './collectionBuilder.ts'
import { writeWholeCollection } from './wholeCollection.ts'

/** A collection in memory: the content of each path in the folder. */
type Files = Map<string, Buffer>

const dir = await mkdtemp(join(tmpdir(), 'cw-tamper-'))
after(() => rm(dir, { recursive: true, force: true }))
const written = await writeWholeCollection(dir)
const { verifier, alive, dead, stranger } = written.boots
const names = new Map(Object.entries(written.boots).map(([name, { boot }]) => [boot, name]))
const whole = await filesOf(dir)

async function filesOf(folder: string): Promise<Files> {
  const files: Files = new Map()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name)
      files.set(relative(folder, path), await readFile(path))
    }
  return files
}

function collectionOf(files: Files): Collection {
  const readerOf = (bucket: string): ObjectReader => ({
    async *list(prefix) {
      for (const path of [...files.keys()].sort())
        if (path.startsWith(`${bucket}/${prefix}`)) yield path.slice(bucket.length + 1)
    },
    read: async (name, maxBytes) => {
      const bytes = files.get(`${bucket}/${name}`)
      if (bytes !== undefined && bytes.byteLength > maxBytes)
        throw new CodedError('evidence.malformed', 'it is too large')
      return bytes
    },
  })
  return {
    governance: readerOf('governance'),
    verifierLogs: readerOf('evidence-verifier'),
    workerLogs: readerOf('evidence-worker'),
    results: readerOf('results'),
  }
}

const audit = async (files: Files) =>
  await auditCollection(collectionOf(files), { providerRoot, simulation: true })

/** `code who:index` of each finding, sorted, without repetitions. */
async function findingsOf(files: Files): Promise<string[]> {
  const { findings, verdict } = await audit(files)
  const grave = findings.filter(({ code }) => FINDINGS[code].severity !== 'noted')
  assert.equal(verdict === 'intact', grave.length === 0)
  const texts = findings.map(({ code, log, index }) => {
    const who = log === null ? '' : ` ${names.get(log) ?? log}`
    return `${code}${who}${index === null ? '' : `:${index}`}`
  })
  return [...new Set(texts)].sort()
}

test('the folder and the same objects in memory give the same report', async () => {
  const options = { providerRoot, simulation: true }
  assert.deepEqual(await auditCollection(openCollection(dir), options), await audit(whole))
})

test('a whole collection is intact, and the report has the outcome of every release', async () => {
  const report = await audit(whole)
  assert.deepEqual(report.findings, [])
  assert.deepEqual([report.verdict, report.simulation, report.witnessed], ['intact', true, 'witnessed'])
  const endOf = (releaseId: string) => {
    for (const release of report.releases)
      if (release.kind === 'allowed' && release.releaseId === releaseId)
        return [release.status, release.finishedBy]
    return undefined
  }
  const { releases } = written
  assert.deepEqual(
    Object.entries(releases).map(([name, { releaseId }]) => [name, endOf(releaseId)]),
    [
      ['first', ['visible', null]],
      ['abandoned', ['abandoned', releases.again.releaseId]],
      ['undelivered', ['undelivered', releases.again.releaseId]],
      ['again', ['visible', null]],
      ['unlogged', ['visible', null]],
      ['late', ['superseded', null]],
      ['withheld', ['withheld', null]],
      ['failed', ['dead-lettered', null]],
      ['returned', ['returned', null]],
      ['exhausted', ['abandoned', null]],
    ],
  )
  const refused = report.releases.flatMap((release) => (release.kind === 'refused' ? [release] : []))
  assert.deepEqual(
    refused.map(({ boot, reasons }) => [boot, reasons.map(({ code }) => code)]),
    [[stranger.boot, ['guest-policy.debug']]],
  )
  assert.deepEqual(report.turnedAway, [{ code: 'nonce.expired', count: 6 }])
  const logs = new Map(
    report.logs.map(({ boot, status, registered, unsealed }) => [boot, [status, registered, unsealed]]),
  )
  assert.deepEqual(
    [verifier, alive, dead, stranger].map(({ boot }) => logs.get(boot)),
    [
      ['closed', true, 0],
      ['closed', true, 0],
      ['open', true, 0],
      ['open', false, 0],
    ],
  )
  const contents = new Map(report.results.map(({ resultId, content }) => [resultId, content]))
  assert.deepEqual(
    [written.made, written.second, written.third].map(({ resultId }) => contents.get(resultId)),
    ['checked', 'not in the collection', 'checked'],
  )
})

test('simulated evidence is broken unless simulation was asked for', async () => {
  const { verdict, findings } = await auditCollection(collectionOf(whole), {
    providerRoot,
    simulation: false,
  })
  assert.equal(verdict, 'broken')
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['evidence.simulated'],
  )
})

test('under another root, no document verifies', async () => {
  const other = { keys: providerRoot.keys.slice(0, 1), threshold: 1 }
  const { findings } = await auditCollection(collectionOf(whole), { providerRoot: other, simulation: true })
  // One of the two signers is still known, so a threshold of one accepts: the auditor chooses the root.
  assert.deepEqual(findings, [])
  const strangers = providerRoot.keys.map(({ person }) => ({
    person,
    jwk: { kty: 'OKP' as const, crv: 'Ed25519' as const, x: 'A'.repeat(43) },
  }))
  const report = await auditCollection(collectionOf(whole), {
    providerRoot: { keys: strangers, threshold: 2 },
    simulation: true,
  })
  assert.equal(report.verdict, 'broken')
  assert.deepEqual(
    report.findings.slice(0, 2).map(({ code }) => code),
    ['governance.ignored', 'governance.ignored'],
  )
  assert.deepEqual(report.releases, [])
})

const flipped = (at: number) => (bytes: Buffer) => {
  const copy = Buffer.from(bytes)
  const index = at < 0 ? copy.byteLength + at : at
  copy[index] = (copy[index] ?? 0) ^ 1
  return copy
}
function edit(files: Files, path: string, change: (bytes: Buffer) => Uint8Array): void {
  files.set(path, Buffer.from(change(files.get(path) ?? assert.fail(path))))
}
const copy = (files: Files, from: string, to: string) => files.set(to, files.get(from) ?? assert.fail(from))
function drop(files: Files, ...prefixes: readonly string[]): void {
  for (const prefix of prefixes) {
    const paths = [...files.keys()].filter((path) => path.startsWith(prefix))
    assert(paths.length > 0, prefix)
    for (const path of paths) files.delete(path)
  }
}
const named = (files: Files, prefix: string) => [...files.keys()].filter((path) => path.startsWith(prefix))
/** The only document of a folder, also under another number. */
function renumber(files: Files, folder: string): void {
  const [name = assert.fail(folder)] = named(files, folder)
  copy(files, name, name.replace('/000000001-', '/000000002-'))
}
function copyAll(files: Files, from: string, to: string): void {
  for (const path of [...files.keys()]) if (path.startsWith(from)) copy(files, path, path.replace(from, to))
}
const log = (name: string, boot = alive) => `evidence-${boot.role}/${boot.boot}/${name}`
const registration = ({ boot }: typeof alive) => `evidence-verifier/${registrationName(boot)}`
const manifest = ({ resultId }: { resultId: string }) => `results/${manifestName(resultId)}`
const parts = [...whole.keys()]
  .filter((path) => path.startsWith(`results/r/${written.made.resultId}/`))
  .sort()
const part = (n: number) => parts.find((path) => path.endsWith(`/${n}`)) ?? assert.fail()
const checkpoints = [...whole.keys()].filter((path) => path.startsWith(log('checkpoint/')))
const last = Math.max(...checkpoints.map((path) => Number(path.slice(-20))))
const origin = logOrigin('worker', alive.boot)
const { privateKey: foreignKey } = generateKeyPairSync('ed25519')
const falseCheckpoint = (key: KeyObject) => utf8(signCheckpoint({ origin, size: 2, root: EMPTY_ROOT }, key))

/** Cuts a log back to a size, as if it had never grown. */
function rollBack(files: Files, boot: typeof alive, size: number): void {
  for (const path of [...files.keys()])
    if (path.startsWith(log('', boot)) && Number(/[0-9]+$/.exec(path)?.[0]) > size) files.delete(path)
}

const bundle = log('tile/entries/000.p/2')
const hashTile = log('tile/0/000.p/2')
const checkpoint = log(checkpointName(2))

const changes: Record<string, readonly [(files: Files) => unknown, readonly string[]]> = {
  'an old bundle is altered': [(files) => edit(files, bundle, flipped(-1)), ['tile.altered alive:1']],
  'the newest bundle is altered, and the last entry has no other copy': [
    (files) => edit(files, log(`tile/entries/000.p/${last}`), flipped(-1)),
    [`entry.lost alive:${last - 1}`, `tile.altered alive:${last - 1}`],
  ],
  'a bundle and its hash tile are both altered': [
    (files) => {
      edit(files, bundle, flipped(-1))
      edit(files, hashTile, flipped(-1))
    },
    ['checkpoint.inconsistent alive:2'],
  ],
  'a bundle is altered and its hash tile deleted': [
    (files) => {
      edit(files, bundle, flipped(-1))
      drop(files, hashTile)
    },
    ['checkpoint.inconsistent alive:2', 'tile.missing alive'],
  ],
  'a bundle is deleted and its hash tile altered': [
    (files) => {
      edit(files, hashTile, flipped(-1))
      drop(files, bundle)
    },
    ['checkpoint.inconsistent alive:2', 'tile.missing alive'],
  ],
  'a bundle is cut': [
    (files) => edit(files, bundle, (bytes) => bytes.subarray(0, -1)),
    ['tile.altered alive'],
  ],
  'a bundle is larger than any bundle': [
    (files) => files.set(bundle, Buffer.alloc(256 * 65_537 + 1)),
    ['tile.altered alive'],
  ],
  'a bundle is deleted': [(files) => drop(files, bundle), ['tile.missing alive']],
  'a bundle is replaced by another of the same log': [
    (files) => copy(files, bundle, log('tile/entries/000.p/3')),
    ['tile.altered alive'],
  ],
  'a hash tile is altered': [(files) => edit(files, hashTile, flipped(0)), ['tile.altered alive:2']],
  'a hash tile is cut': [
    (files) => edit(files, hashTile, (bytes) => bytes.subarray(1)),
    ['tile.altered alive:2'],
  ],
  'a hash tile is deleted': [(files) => drop(files, hashTile), ['tile.missing alive']],
  'a checkpoint is altered': [
    (files) => edit(files, checkpoint, flipped(-10)),
    ['checkpoint.invalid alive:2'],
  ],
  'a checkpoint is emptied': [
    (files) => files.set(checkpoint, Buffer.alloc(0)),
    ['checkpoint.invalid alive:2'],
  ],
  'a checkpoint is too large': [
    (files) => files.set(checkpoint, Buffer.alloc(16_385, 'x')),
    ['checkpoint.invalid alive:2'],
  ],
  'a checkpoint is deleted': [(files) => drop(files, checkpoint), ['checkpoint.missing alive:2']],
  'a checkpoint is duplicated under another size': [
    (files) => copy(files, checkpoint, log(checkpointName(last + 5))),
    [`checkpoint.invalid alive:${last + 5}`],
  ],
  'one byte has the name of the largest checkpoint': [
    (files) => files.set(log(checkpointName(Number.MAX_SAFE_INTEGER)), Buffer.from('x')),
    [`checkpoint.invalid alive:${Number.MAX_SAFE_INTEGER}`],
  ],
  'the key of a log signs the largest checkpoint': [
    (files) => {
      const size = Number.MAX_SAFE_INTEGER
      files.set(
        log(checkpointName(size)),
        utf8(signCheckpoint({ origin, size, root: EMPTY_ROOT }, alive.key)),
      )
    },
    [`checkpoint.inconsistent alive:${Number.MAX_SAFE_INTEGER}`],
  ],
  'a checkpoint is replaced by that of another log': [
    (files) => copy(files, log(checkpointName(2), dead), checkpoint),
    ['checkpoint.invalid alive:2'],
  ],
  'a checkpoint is signed by someone else': [
    (files) => files.set(checkpoint, falseCheckpoint(foreignKey)),
    ['checkpoint.invalid alive:2'],
  ],
  'a checkpoint is signed by its own key over absent entries': [
    (files) => files.set(checkpoint, falseCheckpoint(alive.key)),
    ['checkpoint.inconsistent alive:2'],
  ],
  'a checkpoint in a grant and a manifest is replaced by another of the same size': [
    (files) => {
      const cover = log(checkpointName(3))
      files.set(cover, utf8(signCheckpoint({ origin, size: 3, root: EMPTY_ROOT }, alive.key)))
    },
    ['checkpoint.forked alive:2', 'checkpoint.forked alive:3', 'checkpoint.inconsistent alive:3'],
  ],
  'a log has an object that no writer makes': [
    (files) => files.set(log('note'), Buffer.from('x')),
    ['object.unexpected alive'],
  ],
  'a log has a hash tile that belongs to none of its sizes': [
    (files) => files.set(log('tile/2/000.p/1'), Buffer.alloc(32)),
    ['object.unexpected alive'],
  ],
  'objects lie beside the logs': [
    (files) => {
      files.set('evidence-worker/readme', Buffer.from('x'))
      files.set('evidence-verifier/readme', Buffer.from('x'))
    },
    ['object.unexpected'],
  ],
  "a worker's log is rolled back to before its first receipt": [
    (files) => rollBack(files, alive, 2),
    [
      // Both manifests carry an absent checkpoint and name absent entries as their announcement.
      'checkpoint.missing alive:2',
      'checkpoint.missing alive:5',
      // So do the checkpoints that the Verifier cosigned.
      'checkpoint.missing alive:3',
      'checkpoint.missing alive:6',
      'manifest.unannounced alive:2',
      'manifest.unannounced alive:5',
      'manifest.contradicted alive:5',
      // Neither the releases that it received nor the one that it did not acknowledge have an end.
      'release.abandoned alive',
      'release.abandoned alive:1',
      // The dead worker's releases: the work that this one finished, and the job that it set aside.
      'release.abandoned dead:1',
      'release.abandoned dead:4',
    ],
  ],
  "the Verifier's log is rolled back to before the first release": [
    (files) => rollBack(files, verifier, 7),
    [
      'checkpoint.missing alive:5',
      'checkpoint.missing dead:3',
      'release.unknown alive:12',
      'release.unknown alive:4',
      'release.unknown alive:7',
      'release.unknown alive:9',
      'release.unknown dead:1',
      'release.unknown dead:2',
      'release.unknown dead:4',
    ],
  ],
  'the whole log of a worker is dropped': [(files) => drop(files, log('', dead)), ['log.missing dead']],
  'the whole log of the Verifier is dropped': [
    (files) => drop(files, log('', verifier)),
    ['log.missing verifier'],
  ],
  'a log is copied under the name of another boot': [
    (files) => copyAll(files, log('', stranger), `evidence-worker/${'a'.repeat(26)}/`),
    [`log.unverifiable ${'a'.repeat(26)}`],
  ],
  "a worker's log is copied among the Verifiers'": [
    (files) => copyAll(files, log('', stranger), `evidence-verifier/${stranger.boot}/`),
    ['log.unverifiable stranger'],
  ],
  'the key beside a log belongs to another': [
    (files) => copy(files, log('key', dead), log('key')),
    ['log.unverifiable alive'],
  ],
  'the key beside an unregistered log is absent': [
    (files) => drop(files, log('key', stranger)),
    ['log.unverifiable stranger'],
  ],
  'a registration is dropped': [
    (files) => drop(files, registration(dead)),
    [
      'registration.missing verifier:3',
      'log.unregistered dead',
      'cosignature.invalid dead:0',
      'manifest.unverified',
      'manifest.missing alive:8',
      'release.abandoned dead',
    ],
  ],
  'a registration is not a JWS': [
    (files) => files.set(registration(stranger), Buffer.from('a.b.c')),
    ['registration.unverified'],
  ],
  'a registration has the name of another boot': [
    (files) => copy(files, registration(alive), registration(stranger)),
    ['registration.unverified'],
  ],
  'the verifier keys are absent': [
    (files) => drop(files, 'governance/verifier-keys/'),
    [
      'keys.missing',
      'registration.unverified',
      'log.unregistered alive',
      'log.unregistered dead',
      'log.unregistered verifier',
      'cosignature.invalid alive:0',
      'cosignature.invalid alive:3',
      'cosignature.invalid dead:0',
      'manifest.unverified',
    ],
  ],
  'the verifier keys have another number in their name': [
    (files) => renumber(files, 'governance/verifier-keys/'),
    ['governance.ignored'],
  ],
  'the policy is absent': [(files) => drop(files, 'governance/policy/'), ['policy.missing verifier:1']],
  'the revocation list is absent': [
    (files) => drop(files, 'governance/revocation/'),
    ['policy.missing verifier:1'],
  ],
  'a revocation list has another number in its name': [
    (files) => renumber(files, 'governance/revocation/'),
    ['governance.ignored'],
  ],
  'the policy is signed by one signer only': [
    async (files) => {
      const { name, bytes } = await signPolicy({}, signers.slice(0, 1))
      files.set(name, bytes)
    },
    ['policy.missing verifier:1'],
  ],
  'the policy is replaced by another that both signers signed': [
    async (files) => {
      const [before] = named(files, 'governance/policy/')
      drop(files, before ?? assert.fail())
      const { name, bytes } = await signPolicy({ issuedAt: 1 })
      files.set(name, bytes)
    },
    ['policy.missing verifier:1'],
  ],
  'a policy has another number in its name': [
    (files) => renumber(files, 'governance/policy/'),
    ['governance.ignored'],
  ],
  'a manifest is altered': [
    (files) => edit(files, manifest(written.made), flipped(-1)),
    ['manifest.unverified', 'manifest.missing alive:3'],
  ],
  'a manifest is deleted': [(files) => drop(files, manifest(written.made)), ['manifest.missing alive:3']],
  'two manifests are swapped': [
    (files) => {
      copy(files, manifest(written.made), 'kept')
      copy(files, manifest(written.second), manifest(written.made))
      copy(files, 'kept', manifest(written.second))
    },
    ['manifest.missing alive:3', 'manifest.missing alive:6', 'manifest.unverified'],
  ],
  'a manifest is duplicated under another result': [
    (files) => copy(files, manifest(written.made), manifest({ resultId: 'f'.repeat(64) })),
    ['manifest.unverified'],
  ],
  'a part is altered': [(files) => edit(files, part(1), flipped(0)), ['content.altered']],
  'a part is deleted': [(files) => drop(files, part(1)), ['content.missing']],
  'a part is larger than a part can be': [
    (files) => files.set(part(1), Buffer.alloc(16 * 1024 * 1024 + 1)),
    ['content.altered'],
  ],
  'the collection is empty': [(files) => files.clear(), ['keys.missing']],
}

for (const [name, [change, expected]] of Object.entries(changes))
  test(`finds that ${name}`, async () => {
    const files = new Map(whole)
    await change(files)
    assert.deepEqual(await findingsOf(files), [...expected].sort())
  })

test('no object can be altered or dropped without a finding', async () => {
  const folder = join(dir, 'small')
  const builder = await CollectionBuilder.create(folder)
  builder.announces = true
  const [verifier, worker] = [await builder.boot('verifier'), await builder.boot('worker')]
  verifier.log.append(builder.loaded())
  await builder.publish(worker, await builder.release(verifier, worker))
  const small = await filesOf(folder)
  assert.deepEqual(await findingsOf(small), [])
  const unnoticed: string[] = []
  for (const [path, bytes] of small) {
    if (path === 'trust.json') continue
    const without = new Map(small)
    without.delete(path)
    if ((await findingsOf(without)).length === 0) unnoticed.push(path)
    for (const at of [0, Math.floor(bytes.byteLength / 2), bytes.byteLength - 1]) {
      const altered = new Map(small).set(path, flipped(at)(bytes))
      assert.notDeepEqual(await findingsOf(altered), [], `${path} at ${at}`)
    }
  }
  // Without witnesses, a tail that no document refers to can be cut off unnoticed: here result.visible, whose
  // manifest is still present, and no entry of the Verifier.
  assert.deepEqual(unnoticed, [`evidence-worker/${worker.boot}/${checkpointName(4)}`])
})
