/** GUIDs in firmware tables. */

/** Length of a GUID. */
export const GUID_BYTES = 16

/**
 * A GUID as firmware tables contain it: the first three groups are little-endian, the last two in the order
 * of the text (UEFI specification, appendix A).
 */
export function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}
