/** The results of `seal` and `upload` for people. */
import type { SealedFile } from '#adapters/sealed/sealFile.ts'
import type { SealedSet } from '#adapters/sealed/sealSet.ts'
import type { UploadedObject } from '#adapters/sealed/upload.ts'
import type { UploadedSet } from '#adapters/sealed/uploadSet.ts'
import { formatBytes } from '#cli/terminal.ts'

export function renderSealed({ file, object, sealId, size, sealedSize }: SealedFile): string {
  return [
    `sealed    ${formatBytes(size)} into ${file} (${formatBytes(sealedSize)})`,
    `seal id   ${sealId}`,
    `object    ${object}`,
    '',
  ].join('\n')
}

export function renderSealedSet({ folder, set, object, members }: SealedSet): string {
  const [size, sealedSize] = [sumOf(members, 'size'), sumOf(members, 'sealedSize')]
  return [
    `sealed    ${members.length} files, ${formatBytes(size)} into ${folder} (${formatBytes(sealedSize)})`,
    `set id    ${set}`,
    `object    ${object}`,
    '',
  ].join('\n')
}

export function renderUploaded(uploaded: UploadedObject | UploadedSet): string {
  const { namespace, bucket, object } = uploaded
  const place = `uploaded  ${namespace}/${bucket}/${object}`
  return 'members' in uploaded
    ? [`${place}, the record of ${uploaded.members.length} members`, ''].join('\n')
    : [`${place} (etag ${uploaded.etag})`, `record    ${uploaded.record}`, ''].join('\n')
}

function sumOf(members: readonly SealedFile[], field: 'size' | 'sealedSize'): number {
  return members.reduce((sum, member) => sum + member[field], 0)
}
