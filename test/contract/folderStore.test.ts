/** The contract of the ObjectStore port over a folder. */
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { testObjectStore } from './objectStore.ts'

const root = await temporaryFolder()
const resources = { namespace: 'contract', bucket: 'bucket' }
const client = { objectStore: () => createFolderStore({ root, namespace: resources.namespace }) }

testObjectStore({
  name: 'folder',
  nests: false,
  open: async () => ({ first: client, second: client, resources, arm: undefined }),
})
