/** Sealed objects, results, and the documents about them, from buckets that anyone may have written. */
import { readdirSync, readFileSync } from 'node:fs'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { peekCompact, type SignedFormat } from '#core/jws.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { SealHeaderFormat } from '#core/sealed/header.ts'
import { ResultManifestFormat } from '#core/sealed/manifest.ts'
import { encodeSealHeader, openObject, readSealHeader } from '#core/sealed/object.ts'
import { SealRecordFormat } from '#core/sealed/record.ts'
import { openResult } from '#core/sealed/result.ts'
import { encodeSetRecord, readSetRecord, SetRecordFormat } from '#core/sealed/setRecord.ts'
import type { Vector } from '../../vectors/sealed/vector.ts'
import { mutateJson } from '../json.ts'
import { mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { type Target, Violation } from '../target.ts'

export const sealed: Target = {
  name: 'sealed',
  what: 'sealed objects, results, seal headers, seal records, set records and result manifests',
  weight: 1,
  quick: 3000,
  codes: ['object.malformed', 'object.unopened', 'object.unsigned', 'record.malformed'],
  open: async () => {
    const readers = [...objects(), ...results(), ...documents()]
    return {
      generate: (random) => {
        const at = random.below(readers.length)
        return [Buffer.of(at), random.pick(readers.slice(at, at + 1)).generate(random)]
      },
      check: ([at, bytes = Buffer.alloc(0)]) => readers[at?.[0] ?? -1]?.check(bytes),
    }
  },
}

type Reader = {
  readonly generate: (random: Random) => Buffer
  readonly check: (bytes: Buffer) => Promise<void> | void
}

const FOLDER = new URL('../../vectors/sealed/', import.meta.url)
/** The vectors whose input is accepted. */
const VECTORS: readonly Vector[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file): Vector => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')))
  .filter(({ expect }) => expect === 'accepted')

function objects(): readonly Reader[] {
  return VECTORS.flatMap((vector) => {
    if (vector.operation !== 'open-object') return []
    const { dek, size, object } = vector.input
    const sealed = fromBase64url(object)
    const plaintext = outputOf(vector)
    return [
      {
        generate: (random) => (random.oneIn(20) ? sealed : mutate(sealed, random)),
        check: async (bytes) => {
          const { headerJws, offset } = readSealHeader(bytes)
          if (!encodeSealHeader(headerJws).equals(bytes.subarray(0, offset)))
            throw new Violation('a header has two encodings')
          const opening = { headerJws, size, dek: fromBase64url(dek), chunks: [bytes.subarray(offset)] }
          const opened = await Array.fromAsync(openObject({ ...opening, cipher: nodeCipher }))
          if (!bytes.equals(sealed) || !Buffer.concat(opened).equals(plaintext))
            throw new Violation('an object opens that was not sealed so')
        },
      },
    ]
  })
}

function results(): readonly Reader[] {
  return VECTORS.flatMap((vector) => {
    if (vector.operation !== 'open-result') return []
    const { resultId, dek, parts } = vector.input
    const sealed = Buffer.concat(parts.map((part) => fromBase64url(part)))
    const content = outputOf(vector)
    return [
      {
        generate: (random) => (random.oneIn(20) ? sealed : mutate(sealed, random)),
        check: async (bytes) => {
          const cut = bytes.byteLength >> 1
          const opening = { resultId, dek: fromBase64url(dek), cipher: nodeCipher }
          const opened = await Array.fromAsync(
            openResult({ ...opening, parts: [bytes.subarray(0, cut), bytes.subarray(cut)] }),
          )
          if (!bytes.equals(sealed) || !Buffer.concat(opened).equals(content))
            throw new Violation('a result opens that was not sealed so')
        },
      },
    ]
  })
}

/** Compact JWS, peeked at before the key is known: the content must be safe without the signature. */
function documents(): readonly Reader[] {
  return VECTORS.flatMap((vector) => {
    if (vector.operation === 'verify-seal-header')
      return [documentReader(SealHeaderFormat, 'object.malformed', vector.input.jws)]
    if (vector.operation === 'verify-seal-record')
      return [documentReader(SealRecordFormat, 'record.malformed', vector.input.jws)]
    if (vector.operation === 'verify-set-record')
      return [documentReader(SetRecordFormat, 'object.unsigned', vector.input.jws)]
    if (vector.operation === 'read-set-record') return [setObjectReader(fromBase64url(vector.input.object))]
    if (vector.operation === 'verify-result-manifest')
      return [documentReader(ResultManifestFormat, 'record.malformed', vector.input.jws)]
    return []
  })
}

function documentReader<T>(
  format: SignedFormat<T>,
  code: 'object.malformed' | 'object.unsigned' | 'record.malformed',
  jws: string,
): Reader {
  const parts = jws.split('.')
  const payload: unknown = JSON.parse(fromBase64url(parts[1] ?? '').toString())
  return {
    generate: (random) => {
      switch (random.below(8)) {
        case 0:
          return Buffer.from(jws)
        case 1:
          return mutate(Buffer.from(jws), random)
        case 2:
          return Buffer.from(parts.with(random.below(3), random.pick(parts)).join('.'))
        default:
          return Buffer.from(parts.with(1, toBase64url(canonicalOf(mutateJson(payload, random)))).join('.'))
      }
    },
    check: (bytes) => {
      const text = bytes.toString('latin1')
      const { payload } = peekCompact(format, text, code)
      if (toBase64url(format.encode(payload)) !== text.split('.')[1])
        throw new Violation(`a ${format.name} has two encodings`)
    },
  }
}

function setObjectReader(object: Buffer): Reader {
  return {
    generate: (random) => (random.oneIn(20) ? object : mutate(object, random)),
    check: (bytes) => {
      if (!encodeSetRecord(readSetRecord(bytes)).equals(bytes))
        throw new Violation('a set record has two encodings')
    },
  }
}

/** In canonical form if it is JSON, so that the schema is reached. */
function canonicalOf(text: Buffer): Buffer {
  try {
    return canonicalBytes(JSON.parse(text.toString()))
  } catch {
    return text
  }
}

function outputOf({ output }: Vector): Buffer {
  if (typeof output !== 'string') throw new TypeError('the vector has no output')
  return fromBase64url(output)
}
