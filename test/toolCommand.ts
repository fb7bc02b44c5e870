/** The command lines of the developer's tools: `--help` exits 0, and a mistake exits 2 with a sentence. */
import { type ParseArgsConfig, parseArgs } from 'node:util'

/** Parses the arguments of this process. Ends it for `--help` and for an unknown or malformed option. */
export function readCommand<const Config extends ParseArgsConfig>(
  help: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help)
    process.exit(0)
  }
  try {
    return parseArgs(config)
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')))
      throw error
    // Node appends advice on `--`, which no tool of ours needs.
    const [sentence = ''] = error.message.split('. ')
    return endWithUsage(sentence.charAt(0).toLowerCase() + sentence.slice(1))
  }
}

/** Ends the process: the command line is wrong. */
export function endWithUsage(mistake: string): never {
  console.error(`${mistake}; --help shows the usage`)
  process.exit(2)
}

/** The number that an option gives. Ends the process if it is another. */
export function readNumber(
  option: string,
  text: string,
  { expected, accept }: { readonly expected: string; readonly accept: (value: number) => boolean },
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!accept(value)) endWithUsage(`--${option} is "${text}", expected ${expected}`)
  return value
}
