/** The contract of the SecretStore port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coded, type Subject } from './subject.ts'

export function testSecretStore(subject: Subject): void {
  test(`${subject.name}: a secret has one content and one version for every reader`, {
    skip: subject.skip,
  }, async () => {
    const { first, second, resources, restart } = await subject.open()
    const secret = await first.secretStore().read(resources.secret)
    assert.ok(secret.content.byteLength > 0)
    assert.ok(Number.isSafeInteger(secret.version) && secret.version >= 1)
    assert.ok(secret.createdAt > 0 && secret.createdAt <= Date.now() / 1000 + 60)
    assert.deepEqual(await second.secretStore().read(resources.secret), secret)
    await restart?.()
    assert.deepEqual(await second.secretStore().read(resources.secret), secret)
  })

  test(`${subject.name}: an absent secret is missing`, {
    skip: subject.skip,
  }, async () => {
    const { first, resources } = await subject.open()
    const none = resources.secret.replace(/[^.]*$/, 'none')
    await assert.rejects(first.secretStore().read(none), coded('service.missing'))
    // The secret of this contract was never rotated.
    await assert.rejects(first.secretStore().read(resources.secret, 'previous'), coded('service.missing'))
  })
}
