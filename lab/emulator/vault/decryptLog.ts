/** A journal of every key that the Vault opened, as its audit log would show it: who, when, and for what. */
import { join } from 'node:path'
import { z } from 'zod'
import { ocid } from '#core/fields.ts'
import { openJournal } from '#lab/emulator/journal.ts'
import type { ServiceContext } from '#lab/emulator/service.ts'

const Decryption = z.strictObject({
  /** Milliseconds since the epoch. */
  time: z.int(),
  principal: z.string(),
  keyId: ocid,
  associatedData: z.record(z.string(), z.string()).nullable(),
})
type Decryption = z.output<typeof Decryption>

export type DecryptLog = {
  /** Durable before the client gets the answer. */
  readonly append: (decryption: Decryption) => void
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function openDecryptLog({ folder }: ServiceContext): Promise<DecryptLog> {
  const decryptions: Decryption[] = []
  return await openJournal({
    file: join(folder, 'decryptions.journal'),
    schema: Decryption,
    replay: (decryption) => decryptions.push(decryption),
    // It never becomes shorter, so it is never rewritten.
    snapshot: () => decryptions,
  })
}
