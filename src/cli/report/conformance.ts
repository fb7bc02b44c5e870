/** `report conformance`: reads cases, prints verdicts; one process judges any number of them. */
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { judgeCase, MAX_CASE_BYTES } from '#core/appraisal/conformanceCase.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'

/** Returns the exit code of the verdict. */
export async function runCase(input: Readable, output: Writable): Promise<number> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    // One byte more than a case may have proves the excess; nothing beyond it is kept.
    const rest = Buffer.from(chunk).subarray(0, MAX_CASE_BYTES + 1 - size)
    chunks.push(rest)
    size += rest.byteLength
    if (size > MAX_CASE_BYTES) break
  }
  const { exit, result } = judgeCase(Buffer.concat(chunks), new TrustStore(AMD_ROOTS))
  await write(output, result)
  return exit
}

/** Returns 0, or 2 if a line was not a case. Every other line is judged. */
export async function runLines(input: Readable, output: Writable): Promise<number> {
  const amd = new TrustStore(AMD_ROOTS)
  let exit = 0
  for await (const line of splitLines(input)) {
    const { result } = judgeCase(line, amd)
    if (result.reasons.some(({ code }) => code === 'case.malformed')) exit = 2
    await write(output, result)
  }
  return exit
}

const NEWLINE = 0x0a

/** Keeps one byte more than a case may have of a line that is too long. */
async function* splitLines(input: Readable): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let size = 0
  const keep = (piece: Buffer) => {
    const kept = piece.subarray(0, MAX_CASE_BYTES + 1 - size)
    pieces.push(kept)
    size += kept.byteLength
  }
  for await (const chunk of input) {
    let rest = Buffer.from(chunk)
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      keep(rest.subarray(0, end))
      yield Buffer.concat(pieces)
      pieces = []
      size = 0
      rest = rest.subarray(end + 1)
    }
    keep(rest)
  }
  if (size > 0) yield Buffer.concat(pieces)
}

async function write(output: Writable, result: unknown): Promise<void> {
  if (!output.write(`${JSON.stringify(result)}\n`)) await once(output, 'drain')
}
