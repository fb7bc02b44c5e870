/** Runs the command line on a terminal of its own, as a person sees it: what the person types when asked. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Of util-linux: it makes the terminal. */
export const noTerminal =
  spawnSync('script', ['--version']).error === undefined ? false : 'script of util-linux is absent'

/** Types `answer` as soon as the screen shows `prompt`. */
export async function onTerminal(
  parameters: readonly string[],
  { prompt, answer }: { readonly prompt: string; readonly answer: string },
): Promise<{ readonly code: number | null; readonly screen: string }> {
  const command = [process.execPath, MAIN, ...parameters].map(quoted).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'])
  const chunks: string[] = []
  let asked = false
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    chunks.push(chunk)
    if (asked || !chunks.join('').includes(prompt)) return
    asked = true
    child.stdin.write(answer)
  })
  const [code] = await once(child, 'close')
  return { code, screen: chunks.join('').replaceAll('\r\n', '\n') }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
