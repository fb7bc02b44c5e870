import { CodedError } from '#core/errors.ts'

/**
 * The words of a policy statement or matching rule, read one by one. An unexpected word throws
 * `config.invalid`.
 */
export type Tokens = {
  readonly peek: () => string | undefined
  readonly next: () => string
  /** Takes the next token if it is this word, in any case. */
  readonly take: (word: string) => boolean
  readonly expect: (...words: readonly string[]) => string
  readonly name: () => string
  readonly quoted: () => string
  // The prefix of a pattern such as `/text*/`; undefined if no pattern comes next.
  readonly pattern: () => string | undefined
  readonly end: () => void
  readonly fail: (expected: string) => never
}

const TOKEN = /\s*(?:('[^'\n]*'|\/[^'/\n]+\/)|([{}=,])|([A-Za-z0-9][A-Za-z0-9_.:-]*))/y
const NAME = /^[A-Za-z0-9]/

export function tokensOf(text: string): Tokens {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  const trimmed = text.trimEnd()
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(trimmed)
    if (match === null)
      throw new CodedError(
        'config.invalid',
        `policy text is not understood at "${trimmed.slice(at, at + 40)}"`,
      )
    tokens.push(match[0].trimStart())
  }

  let at = 0
  const fail = (expected: string): never => {
    throw new CodedError(
      'config.invalid',
      `policy text: expected ${expected}, not "${tokens[at] ?? 'its end'}", in: ${trimmed}`,
    )
  }
  const next = (): string => {
    const token = tokens[at] ?? fail('more')
    at += 1
    return token
  }
  const take = (word: string): boolean => {
    const taken = tokens[at]?.toLowerCase() === word.toLowerCase()
    if (taken) at += 1
    return taken
  }
  return {
    peek: () => tokens[at],
    next,
    take,
    expect: (...words) => words.find(take) ?? fail(words.join(' or ')),
    name: () => (NAME.test(tokens[at] ?? '') ? next() : fail('a name')),
    quoted: () => (tokens[at]?.startsWith("'") === true ? next().slice(1, -1) : fail('a quoted value')),
    pattern: () => {
      if (tokens[at]?.startsWith('/') !== true) return undefined
      const [, prefix] = /^\/([^*]+)\*\/$/.exec(next()) ?? fail('a pattern such as /text*/')
      return prefix
    },
    end: () => {
      if (at < tokens.length) fail('its end')
    },
    fail,
  }
}
