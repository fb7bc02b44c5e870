/**
 * Padmé (PURBs, PoPETs 2019/4, §4): rounds a length up so that it reveals at most O(log log n) bits, for at
 * most 12 % more bytes. It uses arithmetic instead of shifts, since lengths exceed 32 bits.
 */
export function padmeLength(bytes: number): number {
  if (bytes < 2) return bytes
  const exponent = floorLog2(bytes)
  const unit = 2 ** (exponent - floorLog2(exponent) - 1)
  return Math.ceil(bytes / unit) * unit
}

/** `Math.log2` may round up just below a power of two, to which such a length is padded in any case. */
function floorLog2(value: number): number {
  return Math.floor(Math.log2(value))
}
