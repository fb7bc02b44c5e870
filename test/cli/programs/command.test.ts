/** The programs as they are started: their arguments, their help and their example configuration. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { configExample } from '#adapters/system/configExample.ts'
import { exportJwk } from '#core/jwk.ts'
import { FunctionConfig } from '../../../src/function/config.ts'
import { VerifierConfig } from '../../../src/verifier/config.ts'
import { WorkerConfig } from '../../../src/worker/config.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { createCa } from '../../verifier/tls.ts'
import { cli, runMain, startCli } from '../process.ts'

const PROGRAMS = [
  { name: 'worker', schema: WorkerConfig, own: ['--trust', '--job <file>'] },
  { name: 'verifier', schema: VerifierConfig, own: [] },
  { name: 'function', schema: FunctionConfig, own: [] },
] as const
const COMMON = ['--config <file>', '--check-config', '--print-config', '-h, --help']

for (const { name, own } of PROGRAMS)
  test(`${name} --help is the program's own: options, an example, exit codes`, async () => {
    const [ours, theirs] = await Promise.all([cli(name, '--help'), runMain(name, '-h')])
    assert.deepEqual([ours.code, ours.stderr], [0, ''])
    assert.deepEqual(ours, theirs)
    assert.deepEqual(
      ours.stdout.match(/^ {2}(?:-h, )?--[a-z-]+(?: <\w+>)?(?= {2})/gm)?.map((option) => option.trim()),
      [...COMMON.slice(0, 3), ...own, ...COMMON.slice(3)],
    )
    assert.match(ours.stdout, new RegExp(`\n\nExamples\n {2}confidential-worker ${name} `))
    assert.match(ours.stdout, /\n\nExit codes\n {2}0 {2,}\w/)
    for (const line of ours.stdout.split('\n')) assert.ok(line.length <= 100, line)
  })

const WRONG: readonly (readonly [readonly string[], RegExp])[] = [
  [['worker'], /^error: --config FILE is missing \(usage\.invalid\)\n {2}remedy: .*--help/],
  [['worker', '--what'], /^error: unknown option '--what' \(usage\.invalid\)\n {2}remedy: .*--help/],
  [['worker', '--job'], /^error: option '--job <value>' argument missing \(usage\.invalid\)\n/],
  [['verifier', '--config', 'a', 'b'], /^error: unexpected argument 'b' \(usage\.invalid\)\n/],
  [['verifier', '--trust'], /^error: unknown option '--trust' \(usage\.invalid\)\n/],
  [['function', '--job', 'a'], /^error: unknown option '--job' \(usage\.invalid\)\n/],
]
for (const [parameters, expected] of WRONG)
  test(`"${parameters.join(' ')}" is a wrong command line: a sentence and 2`, async () => {
    const { code, stdout, stderr } = await cli(...parameters)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, expected)
    assert.equal(stderr.trimEnd().split('\n').length, 2)
  })

test('a program gets its arguments, and its exit code is ours', async () => {
  const { code, stderr } = await cli('verifier', '--config', '/nonexistent.json')
  assert.equal(code, 78)
  assert.match(stderr, /config\.invalid/)
})

for (const [parameters, expected] of [
  [['verifier', '--config', '/nonexistent.json'], 0],
  [['worker', '--config', '/nonexistent.json', '--check-config'], 75],
] as const)
  test(`SIGTERM before "${parameters.join(' ')}" has started its program: ${expected}`, () => {
    // The signal comes as soon as anything listens for it.
    const hook = `process.on('newListener', (name) => {
      if (name === 'SIGTERM') queueMicrotask(() => process.kill(process.pid, name))
    })`
    const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, main, ...parameters],
      { encoding: 'utf8' },
    )
    assert.deepEqual({ status, stderr }, { status: expected, stderr: '' })
  })

/** A program that reads its configuration from a pipe without a writer's data: it waits there. */
async function startWaiting(t: TestContext) {
  const path = join(await temporaryFolder(t), 'pipe')
  assert.equal(spawnSync('mkfifo', [path]).status, 0)
  const { child, ended } = startCli('verifier', '--config', path)
  const pipe = await open(path, 'w')
  const program = Number(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'))
  return { child, ended, pipe, program }
}

test('a program that is ended by SIGKILL gives 137', async (t) => {
  const { ended, pipe, program } = await startWaiting(t)
  process.kill(program, 'SIGKILL')
  assert.equal((await ended).code, 137)
  await pipe.close()
})

test('SIGHUP ends neither the program nor this process', async (t) => {
  const { child, ended, pipe } = await startWaiting(t)
  child.kill('SIGHUP')
  await pipe.close()
  assert.equal((await ended).code, 78)
})

type Field = { readonly path: readonly string[]; readonly description: string | undefined }

/** All fields; a list and a choice are one field each. */
function fieldsOf(schema: z.core.$ZodType, path: readonly string[] = []): readonly Field[] {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  if (!(inner instanceof z.ZodObject))
    return [{ path, description: z.globalRegistry.get(inner)?.description }]
  return Object.entries<z.core.$ZodType>(inner.shape).flatMap(([key, child]) =>
    fieldsOf(child, [...path, key]),
  )
}

for (const { name, schema } of PROGRAMS)
  test(`${name} --print-config: every field with a comment, and a file that loads once it is filled in`, async (t) => {
    const { code, stdout } = await cli(name, '--print-config')
    assert.equal(code, 0)
    const example = JSON.parse(withoutComments(stdout))
    const words = stdout.replaceAll(/\n *\/\/ /g, ' ')
    for (const { path, description } of fieldsOf(schema)) {
      assert.notEqual(valueAt(example, path), undefined, path.join('.'))
      assert.ok(description !== undefined && words.includes(`${description}\n`), path.join('.'))
    }

    const folder = await temporaryFolder(t)
    const path = join(folder, `${name}.json`)
    const check = () => cli(name, '--config', path, '--check-config')
    await writeFile(path, stdout)
    const commented = await check()
    assert.equal(commented.code, 78)
    assert.match(commented.stderr, /is not JSON in UTF-8/)
    await writeFile(path, JSON.stringify(await fillIn(example, folder)))
    assert.deepEqual(await check().then(({ code, stdout }) => ({ code, stdout })), { code: 0, stdout: '' })
  })

for (const { name, schema } of PROGRAMS.filter(({ name }) => name !== 'function'))
  test(`the example of the ${name} does not load before its keys are filled in`, () => {
    const { error } = schema.safeParse(JSON.parse(withoutComments(configExample(schema))))
    assert.match(error?.message ?? '', /"jwk"/)
  })

/** Creates the files and keys that the example names; a socket stands in for the device. */
async function fillIn(example: Record<string, unknown>, folder: string): Promise<unknown> {
  const ca = createCa('example')
  const { cert, key } = ca.issue('example')
  const files = { 'ca.pem': ca.pem, 'crl.pem': ca.crl, 'cert.pem': cert, 'key.pem': key }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  await mkdir(join(folder, 'endorsements'))
  const jwk = () => exportJwk(generateKeyPairSync('ed25519').publicKey)
  return JSON.parse(JSON.stringify(example), (name, value: unknown) => {
    if (name === 'jwk') return jwk()
    if (['cert', 'key', 'ca', 'crl', 'clientCa', 'clientCrl'].includes(name))
      return join(folder, `${name.replace('client', '').toLowerCase()}.pem`)
    if (name === 'folder') return join(folder, 'endorsements')
    if (name === 'attestation') return { source: 'socket', path: join(folder, 'socket') }
    if (name === 'simulation') return true
    return value
  })
}

function withoutComments(example: string): string {
  return example.replaceAll(/^ *\/\/.*\n/gm, '')
}

function valueAt(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value
  return typeof value === 'object' && value !== null
    ? valueAt(Object.entries(value).find(([name]) => name === key)?.[1], rest)
    : undefined
}
