/** Vectors of the sealed object of a consent list. */
import { nodeCipher } from '#core/sealed/cipher.ts'
import { sealList } from '#core/sealed/consentList.ts'
import { DEK } from './seal.ts'
import { seeded } from './seeded.ts'
import type { Vector } from './vector.ts'

const STEP = 65_536
const IDENTITY = { tenant: 'hospital-a', dataset: 'cohort-1', id: seeded('list')(16).toString('hex') }
const TEXT = 'Patient-7\nf3b1c2d4-0000-4000-8000-000000000001\n'

export async function consentVectors(): Promise<Vector[]> {
  const sealed = await sealList(TEXT.trim().split('\n').reverse(), {
    identity: IDENTITY,
    dek: DEK,
    cipher: nodeCipher,
    random: seeded('list random'),
  })
  const { id: list, ...rest } = IDENTITY
  const open = (
    name: string,
    note: string,
    changes: object,
    expectation: Pick<Vector, 'expect' | 'output'> = { expect: { error: 'consent.unopened' } },
  ): Vector => ({
    name: `list ${name}`,
    spec: 'docs/formats/sealed.md §6',
    operation: 'open-list',
    input: { dek: text(DEK), ...rest, list, object: text(sealed), ...changes },
    ...expectation,
    note,
  })
  const read = (
    name: string,
    note: string,
    beginning: Buffer,
    { size = STEP, output }: { readonly size?: number; readonly output?: string } = {},
  ): Vector => ({
    name: `list content ${name}`,
    spec: 'docs/formats/sealed.md §6',
    operation: 'read-list',
    input: { beginning: text(beginning), size },
    ...(output === undefined
      ? { expect: { error: 'consent.unopened' } }
      : { expect: 'accepted', output: text(Buffer.from(output)) }),
    note,
  })
  return [
    open('good', 'sorted, each once', {}, { expect: 'accepted', output: text(Buffer.from(TEXT)) }),
    open('of another dataset', 'the associated data', { dataset: 'cohort-2' }),
    open('with another id', 'the associated data', { list: seeded('another list')(16).toString('hex') }),
    read('good', 'two ids', content(TEXT), { output: TEXT }),
    read('empty', 'no one has withdrawn', content(''), { output: '' }),
    read('of no bytes', 'at least one step', Buffer.alloc(0), { size: 0 }),
    read('of an odd size', 'steps of 64 KiB', content(TEXT), { size: STEP + 1 }),
    read('longer than its step', 'the length is beyond the end', content(TEXT, STEP)),
    read('with an id of another alphabet', 'FHIR ids', content('Patient/7\n')),
    read('with an id of 65 characters', 'at most 64', content(`${'a'.repeat(65)}\n`)),
    read('with an empty id', 'an id has a character', content('a\n\nb\n')),
    read('with an id twice', 'each once', content('a\na\n')),
    read('not sorted', 'in the order of their bytes', content('b\na\n')),
    read('without the last line feed', 'each id ends with one', content('Patient-7')),
    read('with bytes behind its end', 'zeros', content(TEXT, TEXT.length - 1)),
  ]
}

function content(ids: string, length = ids.length): Buffer {
  const beginning = Buffer.alloc(8)
  beginning.writeBigUInt64BE(BigInt(length))
  return Buffer.concat([beginning, Buffer.from(ids)])
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
