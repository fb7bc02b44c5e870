/** `evidence prove` and `evidence check-proof`. */
import { readTrust } from '#adapters/evidence/folderAudit.ts'
import { proveEntry } from '#adapters/evidence/proveEntry.ts'
import { assertAbsent, createFile, readFileUpTo } from '#adapters/system/files.ts'
import { timeText } from '#cli/policy/words.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { labelled } from '#cli/textBlock.ts'
import { logOrigin } from '#core/boot/boot.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { openCheckpoint } from '#core/evidence/checkpoint.ts'
import { checkProof, EntryProofFormat, type ProvenEntry } from '#core/evidence/entryProof.ts'
import { noteKey } from '#core/evidence/note.ts'
import type { ProofActions } from './proofCommands.ts'

const MAX_NOTE_BYTES = 16_384

export function proofActions({ terminal }: CommandContext): ProofActions {
  return {
    prove: async (dir, boot, index, { output, size, json }) => {
      await assertAbsent(output)
      const wanted = {
        boot,
        index: wholeOf('INDEX', index),
        size: size === undefined ? undefined : wholeOf('--size', size),
      }
      const bytes = EntryProofFormat.encode(await proveEntry(dir, wanted))
      await createFile(output, [bytes], { mode: 0o644 })
      if (json === true) terminal.printJson({ file: output, bytes: bytes.byteLength })
      else terminal.print(`${output} proves entry ${index} of ${boot}\n`)
    },
    checkProof: async (file, { trust, checkpoint, simulation, json }) => {
      const proof = EntryProofFormat.decode(
        await readFileUpTo(file, EntryProofFormat.maxBytes, 'input.unreadable'),
      )
      const { providerRoot } = await readTrust(trust)
      const proven = checkProof(proof, providerRoot)
      if (checkpoint !== undefined) await expectCheckpoint(proven, checkpoint)
      if (proven.registration.simulation && !simulation)
        throw new CodedError(
          'evidence.simulated',
          'the log is of a simulated machine: accept it with --simulation',
        )
      if (json === true) terminal.printJson(jsonOf(proven))
      else terminal.print(textOf(proven))
    },
  }
}

function wholeOf(name: string, text: string): number {
  const value = Number(text)
  if (!/^[0-9]{1,15}$/.test(text)) throw new CodedError('usage.invalid', `${name} must be a whole number`)
  return value
}

/** The reader's own checkpoint is of the same log and says the same of the same size. */
async function expectCheckpoint({ registration, checkpoint }: ProvenEntry, file: string): Promise<void> {
  const note = fromUtf8(await readFileUpTo(file, MAX_NOTE_BYTES, 'input.unreadable'), file)
  const { role, boot, key } = registration
  const { size, root } = openCheckpoint(note, noteKey(logOrigin(role, boot), key))
  if (size !== checkpoint.size)
    throw new CodedError(
      'evidence.inconsistent',
      `${file} has size ${size}, the proof ${checkpoint.size}: prove the entry with --size ${size}`,
    )
  if (!root.equals(checkpoint.root))
    throw new CodedError(
      'evidence.inconsistent',
      `${file} has another root than the proof: the log was forked`,
    )
}

function jsonOf({ entry, index, registration, checkpoint }: ProvenEntry) {
  const { role, boot, simulation, attestation } = registration
  const { size, root } = checkpoint
  return {
    proven: true,
    role,
    boot,
    simulation,
    attestation,
    index,
    size,
    root: root.toString('base64'),
    entry,
  }
}

function textOf({ entry, index, registration, checkpoint }: ProvenEntry): string {
  const { role, boot, simulation, attestation } = registration
  const { event, time, v: _v, ...fields } = entry
  const rows: readonly (readonly [string, string])[] = [
    ['entry', `${index} of ${checkpoint.size}, in the log of the ${role} ${boot}`],
    ...(attestation === null
      ? []
      : [['machine', `${attestation.assurance}, ${attestation.reference}`] as const]),
    ...(simulation ? [['simulated', 'this proves nothing about a machine'] as const] : []),
    ['time', timeText(time)],
    ['event', event],
    ...Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)] as const),
  ]
  const width = Math.max(...rows.map(([label]) => label.length)) + 2
  return `PROVEN\n${rows.map(([label, value]) => labelled(label, plain(value), width)).join('\n')}\n`
}

/** A requester may have chosen some words: control characters must not reach the terminal. */
function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?')
}
