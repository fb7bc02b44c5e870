/** Changes to JSON: its values, its members and their spelling. */
import { mutate } from './mutation.ts'
import type { Random } from './random.ts'

/** Changes one to three values, and sometimes the text. */
export function mutateJson(value: unknown, random: Random): Buffer {
  const copy: unknown = structuredClone(value)
  const members = [...membersIn(copy)]
  for (let left = random.few(3); left > 0; left -= 1) {
    const { holder, key } = random.pick(members)
    change(holder, key, random)
  }
  const text = JSON.stringify(copy)
  switch (random.below(10)) {
    case 0:
      return mutate(Buffer.from(text), random)
    case 1:
      return Buffer.from(respelled(text, random))
    default:
      return Buffer.from(text)
  }
}

type Holder = Record<string, unknown>
type Member = { readonly holder: Holder; readonly key: string }

function* membersIn(value: unknown): Generator<Member> {
  if (typeof value !== 'object' || value === null) return
  // Here an array is a record of its indices.
  const holder = value as Holder
  for (const key of Object.keys(holder)) {
    yield { holder, key }
    yield* membersIn(holder[key])
  }
}

function change(holder: Holder, key: string, random: Random): void {
  const value = holder[key]
  switch (random.below(12)) {
    case 0:
      delete holder[key]
      break
    case 1:
      // An array in JSON has no named members, and one named constructor would break its methods.
      if (!Array.isArray(holder))
        holder[random.pick(['__proto__x', 'v', 'constructor', 'toString', ''])] = value
      break
    case 2:
      holder[key] = [value, value]
      break
    case 3:
      holder[key] = random.pick(VALUES)
      break
    default:
      if (typeof value === 'string') holder[key] = otherText(value, random)
      else if (typeof value === 'number') holder[key] = otherNumber(value, random)
      else if (!Array.isArray(value)) holder[key] = random.pick(VALUES)
      else if (value.length > 0)
        holder[key] = random.pick([[], [...value, ...value], value.slice(1), value.toReversed()])
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  -0,
  0.5,
  1e308,
  2 ** 53,
  4_294_967_296,
  '',
  'any',
  'strict',
  '\u0000',
  '\ud800',
  '2026-11-21T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '10000-01-01T00:00:00Z',
  [],
  {},
  { toString: null },
  [[[[[[]]]]]],
]

const BYTES = /^[\w-]{64,}$/
const WORDS = ['required', 'forbidden', 'any', 'none', 'strict', 'committed', 'provisional'] as const

function otherText(text: string, random: Random): string {
  if (text.length === 0) return 'a'
  if (WORDS.some((word) => word === text) && !random.oneIn(4)) return random.pick(WORDS)
  // Other bytes in base64url or hex.
  if (BYTES.test(text) && random.oneIn(2)) {
    const encoding = /^[0-9a-f]+$/.test(text) ? 'hex' : 'base64url'
    return mutate(Buffer.from(text, encoding), random).toString(encoding)
  }
  const at = random.below(text.length)
  return random.pick([
    text.slice(0, at),
    `${text}=`,
    `${text}A`,
    text.toUpperCase(),
    `${text.slice(0, at)}${random.pick(['+', '/', '-', '_', ' ', 'é', '\n'])}${text.slice(at + 1)}`,
    text.repeat(random.few(4)),
    text.slice(random.few(4)),
  ])
}

function otherNumber(number: number, random: Random): number {
  return random.oneIn(2)
    ? random.below(256)
    : random.pick([number + 1, number - 1, -number, number * 2 ** 32, number + 0.5])
}

const NESTED = 50_000

/** The same or nearly the same value with another spelling. */
function respelled(text: string, random: Random): string {
  return random.pick([
    ` ${text}\n`,
    `${text}${text}`,
    `\ufeff${text}`,
    text.replace('{', '{"v":1,'),
    text.replace('"v":1', '"v":1.0'),
    text.replace('"v":1', '"v":1e0'),
    text.replace('"name"', '"n\\u0061me"'),
    text.replace(/"name":"[^"]*"/, `"name":${'['.repeat(NESTED)}${']'.repeat(NESTED)}`),
    `${'{"a":'.repeat(NESTED)}1${'}'.repeat(NESTED)}`,
    text.replace('}', ',}'),
    text.replaceAll('"', "'"),
  ])
}
