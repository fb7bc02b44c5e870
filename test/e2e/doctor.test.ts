/**
 * `doctor` for each role against a running deployment, under the statements of infra/policies: all is well,
 * and then one thing after the other is broken, which its line names.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Line } from '#adapters/doctor/check.ts'
import { renewClientCertificate } from '#lab/demo/certificates.ts'
import { KEYS, PROVIDER } from '#lab/demo/names.ts'
import { hidingStorage } from '../verifier/hidingStorage.ts'
import { publishPolicy } from './governor.ts'
import { ociOfProgram, type SystemUnderTest, startSystem, waitForLine } from './systemUnderTest.ts'

const DAY = 86_400
const WORKER = ['worker', 'worker-1', '--never-key', KEYS.dataset, '--never-key', KEYS.identity] as const
const VERIFIER = ['verifier', 'verifier'] as const
const FUNCTION_ROLE = ['function', 'function'] as const
const SEALER = ['sealer', 'seal'] as const
const AUDITOR = ['auditor', 'export'] as const
const RESEARCHER = ['researcher', 'open'] as const
const ALL = [WORKER, VERIFIER, FUNCTION_ROLE, SEALER, AUDITOR, RESEARCHER]

let system: SystemUnderTest
before(async () => {
  system = await startSystem({ workers: 1 })
  const sealed = await system.seal('first')
  await system.upload(sealed.file)
  await waitForLine(system, 'ended', { outcome: 'visible' })
  // Only the platform says who the function is. Its doctor inherits it from this process.
  ;(await ociOfProgram(system, 'function')).close()
})
after(() => system?.close())

type Role = readonly [role: string, config: string, ...more: readonly string[]]

async function doctor([role, config, ...more]: Role) {
  const { deployment } = system
  const parameters = ['doctor', role, '--config', deployment.configOf(config), '--json', ...more]
  const { exit, stdout } = await deployment.tryCommand(parameters)
  const { lines } = JSON.parse(stdout) as { readonly lines: readonly Line[] }
  return { exit, lines }
}

/** The ids of the rows that are no `good`, each once. */
function wrong(lines: readonly Line[], state: Line['state'] = 'finding'): readonly string[] {
  return [...new Set(lines.filter((line) => line.state === state).map(({ check }) => check))]
}

function show(lines: readonly Line[]): string {
  return JSON.stringify(lines.filter(({ state }) => state !== 'good'))
}

for (const role of ALL)
  test(`${role[0]}: all is well`, async () => {
    const { exit, lines } = await doctor(role)
    assert.deepEqual([wrong(lines), wrong(lines, 'away')], [[], []], show(lines))
    assert.equal(exit, 0)
    // What is not tried at a running deployment is only what its configuration does not name.
    assert.deepEqual(wrong(lines, 'left'), role === WORKER ? ['attestation.kds'] : [])
  })

test('the text names each line, and nothing secret', async () => {
  const { deployment } = system
  const { exit, stdout } = await deployment.tryCommand([
    'doctor',
    'worker',
    '--config',
    deployment.configOf('worker-1'),
  ])
  assert.equal(exit, 0)
  assert.match(stdout, /^ok {7}results\.overwrite: refused$/m)
  assert.match(stdout, /^left {5}key\.foreign: no key is named/m)
  assert.match(stdout, /^worker: \d+ as expected, 0 findings, 0 not reached, \d+ not tried$/m)
})

/** Changes the statements of both tenancies and restarts the emulator with them, until the work ends. */
async function withStatements(change: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const { deployment } = system
  const file = deployment.configOf('emulator')
  const before = await readFile(file, 'utf8')
  const config = JSON.parse(before)
  for (const policy of config.policies) policy.statements = change(policy.statements)
  const text = JSON.stringify(config)
  assert.notEqual(text, JSON.stringify(JSON.parse(before)), 'a statement is to change')
  const restart = async (content: string) => {
    await writeFile(file, content)
    await deployment.program('emulator')?.stop()
    await deployment.start('emulator')
  }
  await restart(text)
  try {
    await work()
  } finally {
    await restart(before)
  }
}

const STATEMENTS: readonly {
  readonly what: string
  readonly role: Role
  readonly change: (text: string) => string
  readonly named: readonly string[]
}[] = [
  {
    what: 'a worker that may not create results',
    role: WORKER,
    change: (text) =>
      text.replace(
        /(dynamic-group workers to \{)OBJECT_CREATE, (OBJECT_READ, OBJECT_INSPECT\} in compartment results)/,
        '$1$2',
      ),
    named: ['results.create.r'],
  },
  {
    what: 'a worker that may overwrite results and start rounds of attempts',
    role: WORKER,
    change: (text) =>
      text.includes('Allow dynamic-group workers')
        ? `${text}\nAllow dynamic-group workers to {OBJECT_OVERWRITE} in compartment results\nAllow dynamic-group workers to {OBJECT_CREATE} in compartment pipeline\n`
        : text,
    named: ['results.overwrite', 'state.create.retry'],
  },
  {
    what: "a Verifier that may write the provider's policy, and wrap under the dataset's key",
    role: VERIFIER,
    change: (text) =>
      text.includes('Allow dynamic-group verifier')
        ? `${text}\nAllow dynamic-group verifier to {OBJECT_CREATE} in compartment trust where target.object.name = /policy*/\nAllow dynamic-group verifier to {KEY_ENCRYPT} in compartment vault\n`
        : text,
    named: ['key.datasets.encrypt', 'governance.create.policy'],
  },
  {
    what: 'a Verifier that may not use the identity key',
    role: VERIFIER,
    change: (text) =>
      text.replace(
        `any {target.key.id = '\${dataset_key}', target.key.id = '\${id_key}', target.key.id = '\${consent_key}'}`,
        `target.key.id = '\${dataset_key}'`,
      ),
    named: ['key.identities'],
  },
]

const PEOPLE = (text: string) =>
  text.includes('Allow group sealing')
    ? `${text}
Allow group sealing to {OBJECT_CREATE} in compartment trust where target.object.name = /policy*/
Allow group sealing to {KEY_DECRYPT} in compartment vault
Allow group auditors to {OBJECT_DELETE} in compartment trust where target.bucket.name = 'governance'
`
    : `${text}
Allow group researchers to {OBJECT_CREATE} in compartment results
Allow dynamic-group ingest to use stream-pull in compartment pipeline
`

test('what people and the function may do beyond their need is named', async () => {
  await withStatements(PEOPLE, async () => {
    for (const [role, named] of [
      [SEALER, ['key.dataset.decrypt', 'governance.create.policy']],
      [AUDITOR, ['governance.delete']],
      [RESEARCHER, ['results.create.r']],
      [FUNCTION_ROLE, ['stream.jobs.consume']],
    ] as const) {
      const { exit, lines } = await doctor(role)
      assert.deepEqual(wrong(lines), named, show(lines))
      assert.equal(exit, 1)
    }
  })
})

for (const { what, role, change, named } of STATEMENTS)
  test(`${what} is named`, async () => {
    await withStatements(change, async () => {
      const { exit, lines } = await doctor(role)
      assert.deepEqual(wrong(lines), named, show(lines))
      assert.equal(exit, 1)
      const remedies = lines.filter(({ state }) => state === 'finding').map(({ remedy }) => remedy)
      assert.ok(remedies.every((remedy) => remedy !== null && remedy.length > 20))
    })
  })

test("a worker that may decrypt under a key of the provider's is named, with the key", async () => {
  const change = (text: string) =>
    text.includes('Admit dynamic-group RemoteWorkers')
      ? `${text}\nAdmit dynamic-group RemoteWorkers of tenancy Consumer to {KEY_DECRYPT} in compartment vault where target.key.id = '\${dataset_key}'\n`
      : text.replace(
          '# Operators:',
          'Endorse dynamic-group workers to {KEY_DECRYPT} in tenancy Provider\n# Operators:',
        )
  await withStatements(change, async () => {
    const { exit, lines } = await doctor(WORKER)
    assert.deepEqual(wrong(lines), ['key.foreign'], show(lines))
    const states = lines.filter(({ check }) => check === 'key.foreign').map(({ state }) => state)
    assert.deepEqual(states, ['finding', 'good'], 'the other key stays out of reach')
    assert.equal(exit, 1)
  })
})

test("a clock 45 seconds from OCI's is named", async () => {
  const setClock = async (offsetSeconds: number) => {
    const response = await fetch(`${system.deployment.endpoint}/emulator/clock`, {
      method: 'POST',
      body: JSON.stringify({ offsetSeconds }),
    })
    assert.equal(response.status, 200)
  }
  await setClock(45)
  try {
    for (const role of [WORKER, VERIFIER]) {
      const { exit, lines } = await doctor(role)
      assert.deepEqual(wrong(lines), ['clock.oci'])
      assert.match(lines.find(({ check }) => check === 'clock.oci')?.found ?? '', /4[4-6] seconds behind/)
      assert.equal(exit, 1)
    }
  } finally {
    await setClock(0)
  }
})

test('a service that does not answer is not reached: 75', async () => {
  await system.deployment.control.arm({
    service: 'streaming',
    match: { path: '/cursors' },
    status: 503,
    forMs: 60_000,
  })
  try {
    const { exit, lines } = await doctor(WORKER)
    assert.deepEqual(wrong(lines), [])
    assert.deepEqual(
      wrong(lines, 'away'),
      ['stream.jobs.consume', 'stream.dead-letters.consume'],
      show(lines),
    )
    assert.equal(exit, 75)
  } finally {
    await system.deployment.control.clearFaults()
  }
})

test('a Verifier that sees no freshness statement, or less than it names, is named', async (t) => {
  const file = system.deployment.configOf('verifier')
  const before = await readFile(file, 'utf8')
  const config = JSON.parse(before)
  // A bucket that it may read and not write, as that of the statements.
  const buckets = { ...config.buckets, freshness: config.buckets.governance }
  await writeFile(file, JSON.stringify({ ...config, buckets }))
  try {
    const { exit, lines } = await doctor(VERIFIER)
    assert.deepEqual(wrong(lines), ['governance.freshness'], show(lines))
    const { found } = lines.find(({ check }) => check === 'governance.freshness') ?? {}
    assert.match(found ?? '', /no freshness statement of the last 15 minutes \(policy\.stale\)/)
    assert.equal(exit, 1)

    const storage = await hidingStorage(t, system.deployment.endpoint)
    const oci = await ociOfProgram(system, 'export')
    t.after(oci.close)
    const governance = { namespace: PROVIDER.namespace, bucket: 'governance' }
    for await (const { name } of oci.objectStore().list(governance, 'policy/')) storage.hide(name)
    const endpoints = { ...config.oci.endpoints, objectStorage: storage.url }
    await writeFile(file, JSON.stringify({ ...config, oci: { ...config.oci, endpoints } }))
    const hidden = (await doctor(VERIFIER)).lines.filter(({ check }) => check === 'governance.freshness')
    assert.match(hidden[0]?.found ?? '', /the governance bucket does not show policy 1, which freshness/)
  } finally {
    await writeFile(file, before)
  }
})

test('a policy near its end is named', async () => {
  const now = Math.floor(Date.now() / 1000)
  await publishPolicy(system, 2, (policy) => ({ ...policy, expiresAt: now + 2 * DAY }))
  const { exit, lines } = await doctor(VERIFIER)
  assert.deepEqual(wrong(lines), ['governance.policy'])
  assert.match(
    lines.find(({ check }) => check === 'governance.policy')?.found ?? '',
    /policy 2 ends .* in 1 days/,
  )
  assert.equal(exit, 1)
  await publishPolicy(system, 3, (policy) => policy)
  assert.equal((await doctor(VERIFIER)).exit, 0)
})

test("a worker's certificate that has ended is named, and what follows from it", async () => {
  await renewClientCertificate(system.deployment.folders.keys, 'worker-1', 5)
  const soon = await doctor(WORKER)
  assert.deepEqual([wrong(soon.lines), soon.exit], [['tls.cert'], 1])
  await renewClientCertificate(system.deployment.folders.keys, 'worker-1', 1 / DAY)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const { exit, lines } = await doctor(WORKER)
  assert.deepEqual(wrong(lines), ['tls.cert'])
  assert.match(lines.find(({ check }) => check === 'tls.cert')?.found ?? '', /verifier\.cert: .* ended at/)
  assert.deepEqual(wrong(lines, 'away'), ['verifier.answers', 'clock.verifier'], show(lines))
  assert.equal(exit, 1)
  await renewClientCertificate(system.deployment.folders.keys, 'worker-1')
})
