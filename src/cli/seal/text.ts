/** The results of `seal` and `upload` for people. */
import type { SealedFile } from '#adapters/sealed/sealFile.ts'
import type { UploadedObject } from '#adapters/sealed/upload.ts'
import { formatBytes } from '#cli/terminal.ts'

export function renderSealed({ file, object, sealId, size, sealedSize }: SealedFile): string {
  return [
    `sealed    ${formatBytes(size)} into ${file} (${formatBytes(sealedSize)})`,
    `seal id   ${sealId}`,
    `object    ${object}`,
    '',
  ].join('\n')
}

export function renderUploaded({ namespace, bucket, object, etag, record }: UploadedObject): string {
  return [`uploaded  ${namespace}/${bucket}/${object} (etag ${etag})`, `record    ${record}`, ''].join('\n')
}
