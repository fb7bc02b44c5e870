/** Builds a host's certificate table, well-formed or not (GHCB specification §4.1.8.1). */

/** The GUIDs in the spelling of AMD and go-sev-guest. */
export const GUIDS = {
  vcek: '63da758d-e664-4564-adc5-f4b93be8accd',
  vlek: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  ask: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  ark: 'c0b406a4-a803-4952-9743-3fb6014cd0ae',
  crl: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea',
  platformInfo: 'ecae0c0f-9502-43b1-afa2-0ae2e0d565b6',
} as const

export function tableEntry(guid: string, at: number, length: number): Buffer {
  const entry = Buffer.alloc(24)
  entry.write(guid.replaceAll('-', ''), 'hex')
  entry.writeUInt32LE(at, 16)
  entry.writeUInt32LE(length, 20)
  return entry
}

/** A table with its entries in the given order, directly followed by their contents. */
export function encodeTable(contents: readonly (readonly [guid: string, bytes: Uint8Array])[]): Buffer {
  let at = (contents.length + 1) * 24
  const entries = contents.map(([guid, { byteLength }]) => {
    at += byteLength
    return tableEntry(guid, at - byteLength, byteLength)
  })
  return Buffer.concat([...entries, Buffer.alloc(24), ...contents.map(([, bytes]) => bytes)])
}
