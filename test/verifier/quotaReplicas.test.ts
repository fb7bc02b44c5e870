/** One quota over two Verifiers at the same time, with lost answers and a death, against the emulator. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEmulatorControl } from '#lab/demo/emulatorControl.ts'
import { PROVIDER_NAMESPACE } from '../lab/emulator/testEmulator.ts'
import { deploy, type Sealed, writeTls } from './deployment.ts'
import { runVerifier, says } from './program.ts'
import { createWorker } from './worker.ts'

const QUOTA = { hours: 744, releases: 6, objects: 6, bytes: 1_000_000 }
const state = { namespace: PROVIDER_NAMESPACE, bucket: 'verifier-state' }

test('two replicas release exactly what a quota allows; what was released once may be asked for again', async (t) => {
  const deployment = await deploy(t)
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  await deployment.putVerifierKeys()
  const policy = deployment.policy(1)
  const datasets = policy.datasets.map((dataset) => ({
    ...dataset,
    permissions: dataset.permissions.map((permission) => ({ ...permission, quota: QUOTA })),
  }))
  await deployment.putPolicy({ ...policy, datasets })
  const path = await deployment.write(config)
  const start = async () => {
    const verifier = runVerifier(t, ['--config', path])
    const ready = await verifier.line(says('ready'))
    const worker = createWorker(deployment, String(ready['url']))
    t.after(() => worker.service.close())
    const ask = async ({ job }: Sealed) => {
      const [answer] = await worker.obtain([job])
      assert.ok(answer !== undefined)
      return answer.kind === 'granted' ? '' : answer.denial.code
    }
    return { verifier, ask, monitor: String(ready['monitor']) }
  }
  const [first, second] = await Promise.all([start(), start()])
  const control = createEmulatorControl(deployment.emulator.endpoint)
  const match = { method: 'PUT', path: '/b/verifier-state/o/quota' }
  // Of each of the first creates the answer is lost: the adapter sends it again, and meets its own object.
  await control.arm({ service: 'objectstorage', match, reset: 'after', times: 4 })

  const sealed = await Promise.all(Array.from({ length: 10 }, () => deployment.seal()))
  // Each object at both replicas at once: twenty requests, ten works, six charges.
  const codes = await Promise.all(
    sealed.map(async (one) => await Promise.all([first.ask(one), second.ask(one)])),
  )
  const granted = sealed.filter((_, n) => codes[n]?.every((code) => code === ''))
  assert.equal(granted.length, QUOTA.releases)
  assert.deepEqual([...new Set(codes.flat())].sort(), ['', 'quota.exceeded'])
  assert.equal(codes.flat().filter((code) => code === '').length, 2 * QUOTA.releases)
  const { objects } = await chain(deployment.instance('verifier').objectStore())
  assert.equal(objects, QUOTA.releases)
  assert.match(await (await fetch(`${first.monitor}/metrics`)).text(), /^cw_verifier_quota_fullest_ratio 1$/m)

  // A replica that starts after a death knows the chain from the bucket.
  first.verifier.kill('SIGKILL')
  const third = await start()
  for (const one of sealed) assert.equal(await third.ask(one), granted.includes(one) ? '' : 'quota.exceeded')
  assert.deepEqual(await chain(deployment.instance('verifier').objectStore()), { objects })
})

/** The sum of all works in the only chain. */
async function chain(
  store: ReturnType<ReturnType<Awaited<ReturnType<typeof deploy>>['instance']>['objectStore']>,
) {
  const works = new Map<string, number>()
  for await (const { name } of store.list(state, 'quota/')) {
    const entry: { readonly works: readonly { readonly id: string; readonly objects: number }[] } =
      JSON.parse((await store.readAll({ ...state, name }, 1_000_000)).toString())
    for (const { id, objects } of entry.works) {
      assert.ok(!works.has(id), 'charged twice')
      works.set(id, objects)
    }
  }
  return { objects: [...works.values()].reduce((sum, objects) => sum + objects, 0) }
}
