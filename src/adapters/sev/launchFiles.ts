/** The files of a launch: OVMF, kernel and initrd. Kernels and initrds are hashed as they are read. */
import { createHash } from 'node:crypto'
import { openInput } from '#adapters/system/inputFile.ts'
import { counted, type Progress } from '#adapters/system/progress.ts'
import { sha256, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { FirmwareFile, HashedFile } from '#core/snp/launch/describedLaunch.ts'
import { MAX_FIRMWARE_BYTES, parseFirmware } from '#core/snp/launch/firmware.ts'

/** Throws `input.unreadable`, `input.changed` and `firmware.malformed`. */
export async function readFirmware(path: string): Promise<FirmwareFile> {
  const input = await openInput(path)
  try {
    if (input.size > MAX_FIRMWARE_BYTES)
      throw new CodedError(
        'firmware.malformed',
        `${path} has ${input.size} bytes, the limit for OVMF is ${MAX_FIRMWARE_BYTES}`,
      )
    const bytes = await input.prefix(input.size)
    if (bytes.byteLength !== input.size) throw changed(path)
    return {
      file: path,
      bytes: bytes.byteLength,
      sha256: toHex(sha256(bytes)),
      firmware: parseFirmware(bytes),
    }
  } finally {
    await input.close()
  }
}

/** Takes constant memory for any size. Throws `input.unreadable` and `input.changed`. */
export async function hashFile(
  path: string,
  { progress, signal }: { readonly progress: (step: string) => Progress; readonly signal: AbortSignal },
): Promise<HashedFile> {
  const input = await openInput(path)
  try {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of counted(input.chunks(signal), input.size, progress(`reading ${path}`))) {
      hash.update(chunk)
      bytes += chunk.byteLength
    }
    if (bytes !== input.size) throw changed(path)
    return { file: path, bytes, sha256: hash.digest('hex') }
  } finally {
    await input.close()
  }
}

function changed(path: string): CodedError {
  return new CodedError('input.changed', `${path} changed while it was read`)
}
