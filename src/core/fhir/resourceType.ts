/** The type of the resource in a line of NDJSON, for a reader that needs nothing else of it. */
import { fromUtf8, utf8 } from '../bytes.ts'

export const NO_RESOURCE = 'a line that is no resource'
const BEGINNING = utf8('{"resourceType":"')
const QUOTE = 0x22

/** The type of the resource in a line, which is said in errors: nothing else of a line is. */
export function resourceTypeOf(line: Uint8Array): string {
  const type = typeAtBeginning(line) ?? typeAnywhere(line)
  return typeof type === 'string' && /^[A-Z][A-Za-z]{1,63}$/.test(type) ? type : NO_RESOURCE
}

/** As every server writes it, so that a large export is not parsed. */
function typeAtBeginning(line: Uint8Array): string | undefined {
  const start = BEGINNING.byteLength
  if (!BEGINNING.equals(line.subarray(0, start))) return undefined
  const end = line.indexOf(QUOTE, start)
  return end < 0 ? undefined : Buffer.from(line.subarray(start, Math.min(end, start + 65))).toString('latin1')
}

function typeAnywhere(line: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(fromUtf8(line, 'line'))
    return typeof value === 'object' && value !== null && 'resourceType' in value
      ? value.resourceType
      : undefined
  } catch {
    return undefined
  }
}
