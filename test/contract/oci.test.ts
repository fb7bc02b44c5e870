/**
 * The ports' contracts over the OCI adapter: always against the emulator, and against OCI if it is
 * configured.
 */
import { test } from 'node:test'
import { testJobStream } from './jobStream.ts'
import { testKeyVault } from './keyVault.ts'
import { testObjectStore } from './objectStore.ts'
import { testSecretStore } from './secretStore.ts'
import { subjects } from './subject.ts'

for (const subject of subjects) {
  if (subject.skip !== false) {
    test(`${subject.name}: the contracts of all ports`, { skip: subject.skip })
    continue
  }
  testObjectStore({ name: subject.name, nests: true, open: subject.open })
  testKeyVault(subject)
  testSecretStore(subject)
  testJobStream(subject)
}
