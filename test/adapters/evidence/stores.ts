import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { CodedError } from '#core/errors.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

/** A folder that is removed when the test file ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-evidence-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export type FaultyStore = ObjectStore & {
  /** The names of all creates, in the order of the calls. */
  readonly asked: string[]
  /** Called before a create; throws to lose the request, returns 'lost' to lose the answer. */
  fault: (name: string, nth: number) => 'lost' | undefined
}

/** A folder store whose creates fail as `fault` decides. */
export async function faultyStore(root?: string): Promise<FaultyStore> {
  const store = createFolderStore({ root: root ?? (await temporaryFolder()), namespace: 'test' })
  const faulty: FaultyStore = {
    ...store,
    asked: [],
    fault: () => undefined,
    create: async (object, bytes, signal) => {
      const outcome = faulty.fault(object.name, faulty.asked.push(object.name))
      const created = await store.create(object, bytes, signal)
      if (outcome === 'lost') throw unavailable()
      return created
    },
  }
  return faulty
}

export function unavailable(): CodedError {
  return new CodedError('service.unavailable', 'the store does not answer')
}
