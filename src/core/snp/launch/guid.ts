/** A GUID as firmware tables hold it: the first three groups little-endian, the last two as they are written (UEFI, appendix A). */
export function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}

export const GUID_BYTES = 16
